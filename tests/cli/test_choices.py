"""How a data set is read, on the command line: chosen once, and kept in the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from datastill.cli import main
from datastill.data import load
from datastill.distilled import DistilledSet
from image_files import encoded, pixels, write_classes, write_image, write_parquet
from processes import run

QUICK = ("--epochs", "1", "--repeats", "1", "--compare", "none")
RANDOM = ("--method", "random", "--ipc", "1")


def distil(*arguments: str) -> None:
    main(["distill", *arguments, *RANDOM])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said to a command that is refused."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("datastill: ")
    return said


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder of the test: photos with two readings, and one broken image."""
    monkeypatch.chdir(tmp_path)
    write_classes(Path("photos/train"), {"cat": 6, "dog": 6, "eel": 6})
    write_classes(Path("photos/clinic"), {"cat": 2, "dog": 2, "eel": 2}, first_seed=60)
    Path("photos/train/cat/5.png").write_bytes(b"junk")


def test_a_refusal_names_flags_that_are_then_taken_and_kept(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    said = refused(capsys, "distill", "folder:photos", "--out", "run", *RANDOM)
    assert "--test-split clinic tests on that part, --test-split none holds out a part of train instead" in said
    said = refused(capsys, "distill", "folder:photos", "--test-split", "clinic", "--out", "run", *RANDOM)
    assert "cat/5.png cannot be read as an image" in said
    assert "or leave it out with --skip-broken" in said
    distil("folder:photos", "--test-split", "clinic", "--skip-broken", "--classes", "dog,cat", "--no-flip", "--out", "run")
    assert "1 of 12 images cannot be read and are left out" in caplog.text
    name = "folder:photos{test_split=clinic;classes=dog,cat;skip_broken=yes;flip=no}"
    data = yaml.safe_load(Path("run/config.yaml").read_text())["data"]
    assert (data["name"], data["skipped"]) == (name, {"images": 1, "names": ["photos/train/cat/5.png"]})
    origin = DistilledSet.load("run").origin
    assert (origin.data, origin.class_names, origin.flip) == (name, ("dog", "cat"), False)

    capsys.readouterr()
    main(["evaluate", "run", "--json", *QUICK])
    assert sum(map(sum, json.loads(capsys.readouterr().out)["confusion"])) == 4  # the clinic's images of the two
    distil("--config", "run/config.yaml", "--out", "again")
    assert DistilledSet.load("again").origin.fingerprint == origin.fingerprint


def test_a_run_goes_on_with_what_was_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    choices = ("--test-split", "none", "--skip-broken")
    distil("folder:photos", *choices, "--out", "run")
    distil("folder:photos", *choices, "--out", "run", "--resume")
    said = refused(capsys, "distill", "folder:photos", "--test-split", "clinic", "--skip-broken", "--out", "run", "--resume", *RANDOM)
    assert "data.name was folder:photos{test_split=none;skip_broken=yes}" in said
    said = refused(capsys, "distill", "--config", "run/config.yaml", "--test-split", "clinic", "--out", "again")
    assert "--test-split contradicts run/config.yaml, which has none" in said
    main(["distill", "--config", "run/config.yaml", *choices, "--out", "again"])


def test_choices_need_the_data_set_that_they_are_of(capsys: pytest.CaptureFixture[str]) -> None:
    distil("folder:photos", "--test-split", "none", "--skip-broken", "--out", "run")
    for command in (("evaluate", "run"), ("show", "run"), ("export", "run", "exported")):
        assert "--test-split says how --data is read, which was not given" in refused(capsys, *command, "--test-split", "clinic")
    capsys.readouterr()
    main(["evaluate", "run", "--data", "folder:photos", "--test-split", "clinic", "--skip-broken", "--json", *QUICK])
    assert sum(map(sum, json.loads(capsys.readouterr().out)["confusion"])) == 6


def test_columns_are_flags_too(capsys: pytest.CaptureFixture[str]) -> None:
    images = [encoded(pixels(number)) for number in range(12)]
    write_parquet(Path("table/train.parquet"), images, [0, 1] * 6, extra={"species": ["eel", "fox"] * 6})
    distil("parquet:table", "--label-column", "species", "--out", "run")
    assert DistilledSet.load("run").origin.class_names == ("eel", "fox")
    said = refused(capsys, "distill", "parquet:table", "--label-column", "specie", "--out", "other", *RANDOM)
    assert "unknown --label-column of parquet:table/train.parquet: 'specie'. Did you mean 'species'?" in said


def test_names_of_folders_with_blanks_can_be_copied_from_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos/clinic").rename("photos/the other clinic")
    said = refused(capsys, "distill", "folder:photos", "--skip-broken", "--out", "run", *RANDOM)
    assert "--test-split 'the other clinic' tests on that part" in said


def test_messages_name_flags_as_refusals_do() -> None:
    write_classes(Path("photos/test"), {"cat": 1, "dog": 1, "eel": 1})
    write_image(Path("photos/train/\x1b[31mred\ngreen.png"), pixels(0))
    ignored, loose, refusal = run("distill", "folder:photos", "--out", "run").err.strip().splitlines()
    assert ignored == "folder:photos: clinic is ignored (--train-split and --test-split choose other parts)"
    assert loose == "folder:photos/train: leaving out 1 image in no class folder, such as \\x1b[31mred\\ngreen.png"
    assert refusal.startswith("datastill: photos/train/cat/5.png cannot be read")


def test_networks_are_pretrained_on_what_was_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    main(["pretrain", "folder:photos", "--test-split", "none", "--skip-broken", "--network", "convnet", "--epochs", "1"])
    assert load("folder:photos", test_split="none", skip_broken=True).fingerprint in capsys.readouterr().out
