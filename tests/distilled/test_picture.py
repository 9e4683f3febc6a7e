from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image

from datastill import DistilledSet
from datastill.distilled.picture import MARGIN, Strip, drawn, write_grid
from tiny_sets import distilled_set

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]


def coloured(names: tuple[str, ...], ipc: int) -> DistilledSet:
    """Every class in one colour."""
    blank = distilled_set(names, ipc=ipc, size=(8, 8))
    origin = replace(blank.origin, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    shades = torch.tensor(COLOURS[: len(names)], dtype=torch.float32)[blank.labels] / 255
    return DistilledSet(shades[:, :, None, None].expand(-1, -1, 8, 8).contiguous(), blank.labels, origin)


def runs(mask: list[bool]) -> int:
    """How many stretches of true values there are."""
    return sum(now and not before for before, now in zip([False, *mask], mask, strict=False))


@pytest.mark.parametrize(("ipc", "columns", "across"), [(3, 10, 3), (7, 4, 4)])
def test_the_picture_has_a_row_per_class(tmp_path: Path, ipc: int, columns: int, across: int) -> None:
    write_grid(coloured(("red", "green", "blue", "yellow", "cyan"), ipc), tmp_path / "grid.png", columns=columns)
    with Image.open(tmp_path / "grid.png") as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    below = 0
    for colour in COLOURS:
        mask = np.abs(picture - np.array(colour)).sum(2) < 30
        rows = np.flatnonzero(mask.any(1))
        assert rows.min() >= below
        below = rows.max()
        assert runs(mask[int(np.median(rows))].tolist()) == across
        assert runs(mask.any(1).tolist()) == 1


def test_few_images_of_some_classes_stand_in_columns(tmp_path: Path) -> None:
    write_grid(coloured(("red", "green", "blue", "yellow", "cyan"), 2), tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    right = 0
    for colour in COLOURS:
        mask = np.abs(picture - np.array(colour)).sum(2) < 30
        columns = np.flatnonzero(mask.any(0))
        assert columns.min() >= right
        right = columns.max()
        assert runs(mask[:, int(np.median(columns))].tolist()) == 2
        assert runs(mask.any(0).tolist()) == 1


@pytest.mark.parametrize("rows", [[0, 1, 2], [3, 4, 8], [7]])
def test_a_class_without_images_leaves_the_others_in_the_picture(tmp_path: Path, rows: list[int]) -> None:
    whole = coloured(("red", "green", "blue", "yellow", "cyan"), 2)
    write_grid(replace(whole, images=whole.images[rows], labels=whole.labels[rows]), tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    shown = [label for label, colour in enumerate(COLOURS) if (np.abs(picture - np.array(colour)).sum(2) < 30).any()]
    assert shown == sorted(set(whole.labels[rows].tolist()))


def test_the_picture_takes_any_class_name_and_leaves_matplotlib_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpl, "use", lambda *arguments, **options: pytest.fail("the user's backend was changed"))
    write_grid(coloured(("$\\frac$", "猫 🐈", "a_b^c$", "", "\x1b[2J"), 1), tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.format == "PNG"


HEADING = "digits: a convnet trained on these images gets 91.1% right,\none trained on as many random real images 78.9%"


@pytest.mark.parametrize(
    ("classes", "name", "heading"), [(2, "0", HEADING), (3, "mmmmmmmmmmmm", ""), (10, "0", HEADING), (10, "iiiiiiiiiiii", HEADING * 4)]
)
def test_the_margins_are_even(classes: int, name: str, heading: str) -> None:
    square = np.zeros((8, 8), dtype=np.uint8)
    strips = [Strip(title, [[square, square]] * classes) for title in ("real images", "start (real images)", "distilled")]
    with Image.open(io.BytesIO(drawn(strips, [name] * classes, heading))) as image:
        ink = np.asarray(image.convert("L")) < 200
    across, down = np.flatnonzero(ink.any(0)), np.flatnonzero(ink.any(1))
    margins = [across[0], ink.shape[1] - 1 - across[-1], ink.shape[0] - 1 - down[-1]]
    assert all(MARGIN - 1 <= margin <= MARGIN + 4 for margin in margins), margins
    assert MARGIN - 1 <= down[0] <= MARGIN + 12
