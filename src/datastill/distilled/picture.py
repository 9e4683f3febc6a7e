"""A distilled set as a picture."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datastill.distilled.set import SyntheticImages
from datastill.files import write_atomic
from datastill.text import escaped

COLUMNS = 10
"""The most images of a class that the picture shows."""
INCHES = 0.6
"""The height of an image in the picture."""
MOST_INCHES = 600
"""The height of the picture at most: it must have fewer than 65,536 pixels a side."""


def write_grid(distilled: SyntheticImages, target: Path, *, columns: int = COLUMNS) -> None:
    """Write a picture with a row per class (a column where a class has few images), its name beside it.

    Args:
        distilled: The set.
        target: A PNG file.
        columns: The most images per class.
    """
    from matplotlib.figure import Figure

    rows = [row[:columns] for row in distilled.rows_by_class()]
    names = [escaped(name)[:20] for name in distilled.origin.class_names]
    lying = 2 * max(len(row) for row in rows) < len(rows) <= 20
    down, across = (max(len(row) for row in rows), len(rows)) if lying else (len(rows), max(len(row) for row in rows))
    height, width = distilled.images.shape[2:]
    tall = min(INCHES, MOST_INCHES / down)
    wide, margin = tall * width / height, 0.2 + 0.085 * max(len(name) for name in names)
    figure = Figure(figsize=(across * wide + (0 if lying else margin), down * tall + (margin if lying else 0)), dpi=100)
    left, top = (0.0, 1 - margin / figure.get_figheight()) if lying else (margin / figure.get_figwidth(), 1.0)
    axes = figure.add_axes((left, 0, 1 - left, top))
    axes.imshow(_canvas(distilled, rows, lying), interpolation="nearest", aspect="auto", extent=(0, across, down, 0))
    middles = [place + 0.5 for place in range(len(rows))]
    if lying:
        upright = max(len(name) for name in names) > 6
        axes.set_xticks(middles, names, fontsize=9, parse_math=False, rotation=90 if upright else 0)
        axes.xaxis.tick_top()
        axes.set_yticks([])
    else:
        axes.set_yticks(middles, names, fontsize=9, parse_math=False)
        axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a class name in a script that the font lacks shows as boxes
        figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomic(target, buffer.getvalue())


def _canvas(distilled: SyntheticImages, rows: list[list[int]], lying: bool) -> NDArray[np.uint8]:
    height, width = distilled.images.shape[2:]
    gap = max(1, height // 16)
    longest = max(len(row) for row in rows)
    down, across = (longest, len(rows)) if lying else (len(rows), longest)
    canvas = np.full((down * (height + gap), across * (width + gap), 3), 255, dtype=np.uint8)
    for place, row in enumerate(rows):
        for number, index in enumerate(row):
            line, column = (number, place) if lying else (place, number)
            pixels = distilled.pixel_array(index)
            tile = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
            top, left = line * (height + gap) + gap // 2, column * (width + gap) + gap // 2
            canvas[top : top + height, left : left + width] = tile
    return canvas
