"""Data sets of the package datasets, by name: saved to disk, and from the hub by way of its cache. Nothing is downloaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import datasets
import pytest

from datastill.data import load
from datastill.errors import UserError
from image_files import encoded, pixels, write_parquet


def pets(root: Path) -> Path:
    return write_parquet(root / "train.parquet", [encoded(pixels(number)) for number in range(12)], [0, 1] * 6, names=["cat", "dog"])


def test_a_saved_data_set_is_the_same_as_its_parquet(tmp_path: Path) -> None:
    held = datasets.Dataset.from_parquet(str(pets(tmp_path / "table")), cache_dir=str(tmp_path / "cache"))
    held.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": held, "test": held.select([3, 0, 1])}).save_to_disk(str(tmp_path / "splits"))
    assert load(f"arrow:{tmp_path / 'one'}").fingerprint == load(f"parquet:{tmp_path / 'table'}").fingerprint
    assert load(f"arrow:{tmp_path / 'splits'}@16", validation=0).test.counts == (1, 2)
    by_budget = [load(f"arrow:{tmp_path / 'one'}", memory_budget=budget).fingerprint for budget in (0, 2**30)]
    assert by_budget[0] == by_budget[1]


def test_a_saved_data_set_reads_no_files_beyond_its_own(tmp_path: Path) -> None:
    """A path in it may lead anywhere."""
    features = datasets.Features(
        {"image": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}, "label": datasets.Value("int64")}
    )
    (tmp_path / "secret.png").write_bytes(encoded(pixels(0)))
    rows = {"image": [{"bytes": None, "path": str(tmp_path / "secret.png")}] * 6, "label": [0, 1] * 3}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "set"))
    with pytest.raises(UserError, match="row 0 has no image bytes"):
        load(f"arrow:{tmp_path / 'set'}")


@pytest.mark.parametrize("made", ["nothing", "a folder", "a damaged one"])
def test_what_is_no_saved_data_set_is_refused_in_one_line(tmp_path: Path, made: str) -> None:
    if made == "a folder":
        (tmp_path / "set").mkdir()
    if made == "a damaged one":
        held = datasets.Dataset.from_parquet(str(pets(tmp_path / "table")), cache_dir=str(tmp_path / "cache"))
        held.save_to_disk(str(tmp_path / "set"))
        next((tmp_path / "set").glob("*.arrow")).write_bytes(b"junk")
    with pytest.raises(UserError, match="expected a folder that save_to_disk of the package datasets wrote") as caught:
        load(f"arrow:{tmp_path / 'set'}")
    assert "\n" not in str(caught.value)


CACHED = """
import sys
from pathlib import Path
import datasets
from datastill.data import load
from datastill.errors import UserError
table, home = Path(sys.argv[1]), Path(datasets.config.HF_DATASETS_CACHE)
datasets.load_dataset("parquet", data_files={"train": str(table)})
cached = home / "owner___pets" / "default"  # where the hub's data sets are
cached.parent.mkdir()
next(home.glob("parquet/*")).rename(cached)
file = next(cached.rglob("parquet-train.arrow"))
file.rename(file.with_name("pets-train.arrow"))
print(load("hub:owner/pets").fingerprint, load(f"parquet:{table.parent}").fingerprint, load("hub:owner/pets/default@16").size)
for name in ("hub:owner/nothing", "hub:a/b/c/d", "hub:owner/pets/other"):
    try:
        load(name)
    except UserError as error:
        print(error)
"""


def test_the_hub_is_read_from_its_cache_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own: the package reads its settings when it is imported."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    table = pets(tmp_path / "table")
    done = subprocess.run([sys.executable, "-c", CACHED, str(table)], capture_output=True, text=True, check=True)
    first, *refused = done.stdout.splitlines()
    fingerprints, size = first.split(" (")[0].split(), first[-9:]
    assert fingerprints[0] == fingerprints[1]
    assert size.endswith("(16, 16)")
    assert len(refused) == 3
    assert "hub:owner/nothing cannot be loaded" in refused[0]
    assert "expected hub:OWNER/NAME, or hub:OWNER/NAME/CONFIGURATION" in refused[1]
    assert "hub:owner/pets/other cannot be loaded" in refused[2]


def test_without_the_package_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    for name in ("hub:owner/pets", "arrow:saved"):
        with pytest.raises(UserError, match=rf"{name} needs the package datasets: pip install 'datastill\[hub\]'"):
            load(name)
