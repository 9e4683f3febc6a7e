"""Labelled images as a picture: a distilled set, and whatever it is shown beside."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
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
LINE = 22
"""Pixels of a line of text."""
MARGIN, BETWEEN, SPACE = 16, 24, 8
"""Pixels around everything, between strips, and between a text and what it belongs to."""
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
        heading: Stands above everything; lines that are wider than the picture are wrapped.

    Returns:
        A PNG file.
    """
    names = [name if len(name) <= NAME else f"{name[: NAME - 1]}…" for name in map(escaped, class_names)]
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
    """Put strips, titles and names together, with the same margin on all four sides."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a class name in a script that the font lacks shows as boxes
        return (_below if lying else _beside)(canvases, titles, names, heading)


def _below(canvases: Sequence[Pixels], titles: Sequence[str], names: Sequence[str], heading: str) -> bytes:
    """Strips one below the other, each with its title at the left; the names stand above all of them."""
    column, across = canvases[0].shape[1] / len(names), max(canvas.shape[1] for canvas in canvases)
    widest, longest = max(_width(title, TITLE) for title in titles), max(_width(name, TEXT) for name in names)
    upright = longest + GAP > column
    left, named = MARGIN + (widest + SPACE if widest else 0), (longest if upright else LINE) + SPACE
    sheet = _Sheet(left + across + MARGIN, heading)
    for place, name in enumerate(names):
        sheet.write(name, left + (place + 0.5) * column, sheet.height + named - SPACE, ha="center", va="bottom", rotation=90 * upright)
    top = sheet.height + named
    for canvas, title in zip(canvases, titles, strict=True):
        sheet.place(canvas, left, top)
        sheet.write(title, left - SPACE, top + canvas.shape[0] / 2, TITLE, ha="right")
        top += canvas.shape[0] + BETWEEN
    return sheet.png(top - BETWEEN + MARGIN)


def _beside(canvases: Sequence[Pixels], titles: Sequence[str], names: Sequence[str], heading: str) -> bytes:
    """Strips side by side, each with its title above; the names stand at the left of all of them."""
    row, down = canvases[0].shape[0] / len(names), max(canvas.shape[0] for canvas in canvases)
    widths = [max(canvas.shape[1], _width(title, TITLE)) for canvas, title in zip(canvases, titles, strict=True)]
    longest = max(_width(name, TEXT) for name in names)
    left = MARGIN + (longest + SPACE if longest else 0)
    sheet = _Sheet(left + sum(widths) + BETWEEN * (len(widths) - 1) + MARGIN, heading)
    top = sheet.height + (LINE + SPACE) * any(titles)
    for place, name in enumerate(names):
        sheet.write(name, left - SPACE, top + (place + 0.5) * row, ha="right")
    for canvas, title, width in zip(canvases, titles, widths, strict=True):
        sheet.place(canvas, left + (width - canvas.shape[1]) // 2, top)
        sheet.write(title, left + width / 2, top - SPACE, TITLE, ha="center", va="bottom")
        left += width + BETWEEN
    return sheet.png(top + down + MARGIN)


class _Sheet:
    """What texts and images are put on, in pixels from the top left corner.

    Args:
        width: Of all that will stand on it.
        heading: Stands at the top, in as many lines as it needs.

    Attributes:
        height: Pixels from the top below which nothing stands yet.
    """

    def __init__(self, width: int, heading: str) -> None:
        lines = [line for part in heading.splitlines() for line in _lines(part, TITLE, width - 2 * MARGIN)]
        self.width = max(width, *(_width(line, TITLE) + 2 * MARGIN for line in lines), 1)
        self.height = MARGIN + len(lines) * LINE + (SPACE if lines else 0)
        self._texts: list[tuple[str, float, float, int, dict[str, Any]]] = []
        self._images: list[tuple[Pixels, int, int]] = []
        for number, line in enumerate(lines):
            self.write(line, MARGIN, MARGIN + (number + 0.5) * LINE, TITLE)

    def write(self, text: str, x: float, y: float, size: int = TEXT, **options: Any) -> None:
        self._texts.append((text, x, y, size, {"va": "center", **options}))

    def place(self, canvas: Pixels, x: int, y: int) -> None:
        self._images.append((canvas, x, y))

    def png(self, height: int) -> bytes:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(self.width / DPI, height / DPI), dpi=DPI)
        for canvas, x, y in self._images:
            figure.figimage(canvas, xo=x, yo=height - y - canvas.shape[0], origin="upper")
        for text, across, down, size, options in self._texts:
            figure.text(across / self.width, 1 - down / height, text, fontsize=size, parse_math=False, **options)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()


def _width(text: str, size: int) -> int:
    """Pixels that a text takes, in the font that it is drawn with."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    renderer: Any = RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    return math.ceil(renderer.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)[0]) if text else 0


def _lines(text: str, size: int, width: int) -> list[str]:
    """A text in lines of at most some pixels; a word is never divided."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
