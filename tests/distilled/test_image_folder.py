"""What an image folder says of itself: what 8 bits lost, how to normalise, and a training that runs as it is written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from markdown_it import MarkdownIt
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from datastill import DistilledSet, export
from processes import run
from tiny_sets import MEAN, STD, distilled_set, soft_set


def one_value(*values: float) -> DistilledSet:
    """A set of one image with these values, in units in which 8 bits hold -2 to 2."""
    origin = replace(distilled_set().origin, mean=(0.5,), std=(0.25,), class_names=("one",))
    return replace(distilled_set(), images=torch.tensor(values).view(1, 1, 1, -1), labels=torch.zeros(1, dtype=torch.int64), origin=origin)


@pytest.mark.parametrize(
    ("values", "share", "lost"),
    [
        ((-2.0, 0.0, 2.0, 1.0), 0.0, None),  # within, but for the rounding of 0 and 1 to a level
        ((-3.0, 3.0, 1.9, -1.9), 0.5, (2 / 4) ** 0.5),  # two values lose 1 each
        ((5.0, 2.0, -2.0, 2.0), 0.25, 1.5),  # one value loses 3
    ],
)
def test_what_eight_bits_lose_by_hand(values: tuple[float, ...], share: float, lost: float | None) -> None:
    whole = one_value(*values)
    assert whole.clipped == share
    level = 4 / 255
    assert whole.loss_of_rendering == pytest.approx(lost, rel=0.01) if lost else whole.loss_of_rendering < level


def test_an_export_says_what_it_lost_and_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    export(one_value(-3.0, 3.0, 1.9, -1.9), tmp_path / "folder", "folder")
    said = "cannot hold 50% of the values of this set: these are clipped, which changes a value by 0.71 standard deviations"
    assert said in caplog.text
    assert "50% of the values lie outside what 8 bits hold" in (tmp_path / "folder" / "README.md").read_text()
    caplog.clear()
    export(one_value(-2.0, 0.0, 2.0, 1.0), tmp_path / "whole", "folder")
    for format in ("dc", "parquet"):
        export(one_value(-3.0, 3.0, 1.9, -1.9), tmp_path / format, format)
    assert "cannot hold" not in caplog.text
    assert "8 bits hold every value of the set, rounded." in (tmp_path / "whole" / "README.md").read_text()
    assert "50% of the values lie outside" in (tmp_path / "parquet" / "README.md").read_text()


def test_the_command_says_it_in_flags(tmp_path: Path) -> None:
    distilled_set().save(tmp_path / "set")
    done = run("export", tmp_path / "set", tmp_path / "folder")
    assert done.code == 0
    assert done.out == f"wrote {tmp_path / 'folder'}\n"
    assert "use --format dc or --format parquet" in done.err
    assert len(done.err.splitlines()) == 1


def test_the_constants_are_what_torchvision_takes(tmp_path: Path) -> None:
    whole = distilled_set()
    folder = export(whole, tmp_path / "folder", "folder")
    constants = json.loads((folder / "normalisation.json").read_text())
    assert constants == {"mean": list(MEAN), "std": list(STD)}
    ordinary = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(**constants)])
    images = torch.stack([image for image, _ in ImageFolder(str(folder), ordinary)])
    torch.testing.assert_close(images, whole.rendered().images)


@pytest.mark.parametrize("whole", [distilled_set(size=(16, 16)), soft_set(), distilled_set(channels=1)], ids=["hard", "soft", "gray"])
@pytest.mark.parametrize("flip", [True, False])
def test_the_training_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: DistilledSet, flip: bool) -> None:
    whole = replace(whole, origin=replace(whole.origin, flip=flip))
    folder = export(whole, tmp_path / "folder", "folder")
    (block,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
    assert ("RandomHorizontalFlip" in block) == flip
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(block, names)
    first, again, other = (names["train"](epochs=1, seed=seed) for seed in (0, 0, 1))
    images = torch.randn(2, 3, *whole.images.shape[2:])
    assert first(images).shape == (2, 3)
    assert torch.equal(first(images), again(images))
    assert not torch.equal(first(images), other(images))


def test_folders_of_other_names_are_explained_and_names_are_not_markup(tmp_path: Path) -> None:
    names = ("<b>ship</b>", "a|b", "`---`\n# heading")
    page = (export(distilled_set(names), tmp_path / "folder", "folder") / "README.md").read_text()
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(page)
    inside = [child for token in tokens for child in token.children or ()]
    assert not [token for token in [*tokens, *inside] if token.type.startswith("html")]
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1", "h2", "h2"]
    shown = [token.content for token in inside if token.type == "code_inline"]
    for folder, name in zip(sorted(path.name for path in (tmp_path / "folder").iterdir() if path.is_dir()), names, strict=True):
        assert shown[shown.index(folder) + 1] == name.replace("\n", "\\n")
    plain = (export(distilled_set(), tmp_path / "plain", "folder") / "README.md").read_text()
    assert "| folder | class |" not in plain
