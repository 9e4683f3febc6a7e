"""Labelled images as a picture: a distilled set, and whatever it is shown beside."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datastill.distilled.set import SyntheticImages
from datastill.files import write_atomic
from datastill.text import escaped

COLUMNS = 10
"""The most images of a class that the picture shows."""
CELL = 64
"""Pixels that the longer side of an image is enlarged to, at least if it is a whole number of times as long."""
LARGEST_CELL = 128
"""Pixels of the longer side above which an image is made smaller."""
GAP = 4
"""Pixels between images."""
LONGEST = 60_000
"""Pixels of the picture's side at most: PNG files of 65,536 and more cannot be drawn."""
DPI = 100
TEXT, TITLE = 9, 11
"""Sizes of names and of titles, in points."""
LETTER = 9
"""Pixels of a letter, at most about."""
NAME = 20
"""Letters of a class's name that are shown."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Strip:
    """Images that are shown together.

    Attributes:
        title: What they are; "" says nothing.
        by_class: uint8 ``height width`` or ``height width 3``, for every class any number.
    """

    title: str
    by_class: Sequence[Sequence[Pixels]]

    @property
    def longest(self) -> int:
        """The most images of a class."""
        return max((len(images) for images in self.by_class), default=0)


def write_grid(distilled: SyntheticImages, target: Path, *, columns: int = COLUMNS) -> None:
    """Write a picture with a row per class (a column where a class has few images), its name beside it.

    Args:
        distilled: The set.
        target: A PNG file.
        columns: The most images per class.
    """
    write_atomic(target, drawn([strip("", distilled, columns)], distilled.origin.class_names))


def strip(title: str, distilled: SyntheticImages, columns: int) -> Strip:
    """The first images of every class of a set."""
    return Strip(title, [[distilled.pixel_array(index) for index in row[:columns]] for row in distilled.rows_by_class()])


def drawn(strips: Sequence[Strip], class_names: Sequence[str], heading: str = "") -> bytes:
    """Draw strips side by side, with a row per class; where classes have few images one below the other, with a column per class.

    Images are enlarged by a whole number and without smoothing, so that every pixel is a square.

    Args:
        strips: At least one, with images of one size.
        class_names: One per class.
        heading: Stands above everything.

    Returns:
        A PNG file.
    """
    names = [escaped(name)[:NAME] for name in class_names]
    lying = 2 * max(each.longest for each in strips) < len(names) <= 20
    height, width = next(pixels.shape[:2] for each in strips for images in each.by_class for pixels in images)
    side, most = max(height, width), min(LARGEST_CELL, max(1, LONGEST // len(names) - GAP))
    factor = min(-(-CELL // side), most // side) or most / side
    cell = (max(1, int(height * factor)), max(1, int(width * factor)))
    canvases = [_canvas(each, cell, lying) for each in strips]
    return _laid_out(canvases, [each.title for each in strips], names, lying, heading)


def _canvas(strip: Strip, cell: tuple[int, int], lying: bool) -> Pixels:
    """The images of a strip, a row per class or a column."""
    step = (cell[0] + GAP, cell[1] + GAP)
    shape = (strip.longest, len(strip.by_class)) if lying else (len(strip.by_class), strip.longest)
    canvas = np.full((shape[0] * step[0], shape[1] * step[1], 3), 255, dtype=np.uint8)
    for place, images in enumerate(strip.by_class):
        for number, pixels in enumerate(images):
            line, column = (number, place) if lying else (place, number)
            top, left = line * step[0] + GAP // 2, column * step[1] + GAP // 2
            canvas[top : top + cell[0], left : left + cell[1]] = _scaled(pixels, cell)
    return canvas


def _scaled(pixels: Pixels, cell: tuple[int, int]) -> Pixels:
    image = Image.fromarray(pixels).convert("RGB")
    larger = cell[0] >= pixels.shape[0]
    return np.asarray(image.resize((cell[1], cell[0]), Image.Resampling.NEAREST if larger else Image.Resampling.BOX))


def _laid_out(canvases: Sequence[Pixels], titles: Sequence[str], names: Sequence[str], lying: bool, heading: str) -> bytes:
    """Put strips, titles and names together."""
    from matplotlib.figure import Figure

    space, above = 24 * any(titles), 40 * bool(heading)
    step = canvases[0].shape[1 if lying else 0] / len(names)
    longest, upright = LETTER * max(map(len, names)) + 10, 10 + LETTER * max(map(len, names)) > step
    starts = [0, *accumulate(canvas.shape[0 if lying else 1] + space for canvas in canvases)]
    extent, across = starts[-1] - space, max(canvas.shape[1 if lying else 0] for canvas in canvases)
    if lying:
        left, top = 12 + LETTER * max(map(len, titles)) if any(titles) else 0, above + (longest if upright else 24)
        width, height = left + across, top + extent
    else:
        left, top = longest, above + space
        width, height = left + extent, top + across
    width = max(width, LETTER * len(heading)) if heading else width
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)

    def write(text: str, x: float, y: float, size: int, **options: Any) -> None:
        figure.text(x / width, 1 - y / height, text, fontsize=size, parse_math=False, **{"va": "center", **options})

    write(heading, 10, above / 2, TITLE)
    for canvas, start, title in zip(canvases, starts, titles, strict=False):
        x, y = (left, top + start) if lying else (left + start, top)
        figure.figimage(canvas, xo=x, yo=height - y - canvas.shape[0], origin="upper")
        if lying:
            write(title, left - 8, y + canvas.shape[0] / 2, TITLE, ha="right")
        else:
            write(title, x + canvas.shape[1] / 2, top - space / 2, TITLE, ha="center")
    for place, name in enumerate(names):
        middle = (place + 0.5) * step
        if lying:
            write(name, left + middle, top - 6, TEXT, ha="center", va="bottom", rotation=90 if upright else 0)
        else:
            write(name, left - 8, top + middle, TEXT, ha="right")
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a class name in a script that the font lacks shows as boxes
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
