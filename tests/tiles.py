"""Finding images again in a picture that was drawn of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def read(picture: bytes | Path) -> Pixels:
    """A picture as uint8 ``height width 3``."""
    with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as image:
        return np.asarray(image.convert("RGB"))


def enlarged(pixels: Pixels, factor: int) -> Pixels:
    """An image with a square for every pixel, in colour."""
    colours = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    return colours.repeat(factor, 0).repeat(factor, 1)


def places(picture: Pixels, tile: Pixels) -> list[tuple[int, int]]:
    """Where a picture has a tile, to the last pixel: row and column of its first pixel."""
    height, width = tile.shape[:2]
    middle = tile[height // 2, width // 2]
    inner = picture[height // 2 : len(picture) - height + height // 2 + 1, width // 2 : picture.shape[1] - width + width // 2 + 1]
    begins = np.argwhere((inner == middle).all(2))
    return [(y, x) for y, x in begins.tolist() if np.array_equal(picture[y : y + height, x : x + width], tile)]
