"""Another size for a source that has only its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datastill.data.decode import cover
from datastill.data.storage import RawSplit
from datastill.size import Size


def resized(raw: RawSplit, size: Size) -> RawSplit:
    """Scale and centre-crop every image of a split to a size; nothing to do where it has it already."""
    if raw.size == size:
        return raw

    def blocks() -> Iterator[NDArray[np.uint8]]:
        for block in raw.blocks():
            for start in range(0, len(block), 1024):
                yield np.stack([_resize(pixels, size) for pixels in block[start : start + 1024]])

    return replace(raw, size=size, blocks=blocks, identity=raw.identity and f"{raw.identity} at {size}")


def _resize(pixels: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    scaled = np.asarray(cover(image, size), dtype=np.uint8)
    return scaled[None] if len(pixels) == 1 else scaled.transpose(2, 0, 1)
