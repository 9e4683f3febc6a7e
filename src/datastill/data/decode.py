"""Image files to uint8 arrays of one size and one number of channels."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from datastill.errors import UserError
from datastill.networks.network import Size

log = logging.getLogger(__name__)

MIXED_SIZE = 64
"""The side that images of different sizes are resized to, unless the user names one."""
LARGEST_SIDE = 256
"""Images of one size up to this keep it."""
GRAY_MODES = ("1", "L", "LA", "I;16", "I", "F")


class Header(NamedTuple):
    """What a file's first bytes say."""

    channels: int
    size: Size


def headers(sources: Iterable[Path | IO[bytes]], names: Sequence[str]) -> list[Header]:
    """Read size and channels of every image without decoding it.

    Raises:
        UserError: If a file is no image; it names the file.
    """
    found = []
    for source, name in zip(sources, names, strict=True):
        try:
            with Image.open(source) as image:
                found.append(Header(1 if image.mode in GRAY_MODES else 3, (image.height, image.width)))
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise UserError(f"{name} cannot be read as an image ({_reason(error)}); remove or replace it") from error
    return found


def target(headings: Sequence[Header], size: Size | None, name: str) -> Size:
    """Choose the size that all images are brought to: the one asked for, the common one, or `MIXED_SIZE` squared, said aloud."""
    if size:
        return size
    sizes = {heading.size for heading in headings}
    if len(sizes) == 1 and max(next(iter(sizes))) <= LARGEST_SIDE:
        return next(iter(sizes))
    small, large = min(sizes), max(sizes)
    log.warning(
        "%s: images of %d size(s) from %dx%d to %dx%d pixels are scaled and centre-cropped to %dx%d; choose another size by ending the "
        "data set's name with @SIZE",
        name, len(sizes), small[1], small[0], large[1], large[0], MIXED_SIZE, MIXED_SIZE,
    )  # fmt: skip
    return MIXED_SIZE, MIXED_SIZE


def decode(source: Path | IO[bytes], name: str, channels: int, size: Size) -> NDArray[np.uint8]:
    """Decode one image to uint8 ``channel height width``; another size is scaled to cover the target and centre-cropped.

    Raises:
        UserError: If the file is damaged; it names the file.
    """
    try:
        with Image.open(source) as image:
            converted = image.convert("L" if channels == 1 else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{name} cannot be read as an image ({_reason(error)}); remove or replace it") from error
    pixels = np.asarray(cover(converted, size), dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def cover(image: Image.Image, size: Size) -> Image.Image:
    """Scale an image so that it covers the target, and cut the target out of its centre."""
    height, width = size
    if (image.height, image.width) == size:
        return image
    scale = max(height / image.height, width / image.width)
    scaled = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    return image.resize(scaled, Image.Resampling.BICUBIC).crop((left, top, left + width, top + height))


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
