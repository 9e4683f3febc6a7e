"""Image files to uint8 arrays of one size and one number of channels."""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from datastill.errors import UserError
from datastill.files import reason
from datastill.size import Size

log = logging.getLogger(__name__)

MIXED_SIZE = 64
"""The side that images of different sizes are resized to, unless the user names one."""
LARGEST_SIDE = 256
"""Images of one size up to this keep it."""
BLOCK = 1024
"""Images decoded at a time, at most 64 by one thread before the next takes over."""
GRAY_MODES = ("1", "L", "LA", "I", "F")
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises on damaged files."""


class Header(NamedTuple):
    """What a file's first bytes say."""

    channels: int
    size: Size
    format: str | None


def headers(sources: Iterable[Path | IO[bytes]], names: Sequence[str]) -> list[Header]:
    """Read size and channels of every image without decoding it.

    Raises:
        UserError: If a file is not an image; the message names it.
    """
    found: list[Header] = []
    for source, name in zip(sources, names, strict=True):
        with _opened(source, name, found[-1].format if found else None) as image:
            gray = image.mode in GRAY_MODES or image.mode.startswith("I;16")
            size = (image.width, image.height) if _orientation(image) >= 5 else (image.height, image.width)
            found.append(Header(1 if gray else 3, size, image.format))
    return found


def target(headings: Sequence[Header], size: Size | None, name: str) -> Size:
    """Choose the size that all images are brought to: the one asked for, the common one, or `MIXED_SIZE` squared, with a message."""
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


def decode_blocks(
    sources: Iterable[Path | IO[bytes]], names: Sequence[str], headings: Sequence[Header], channels: int, size: Size
) -> Iterator[NDArray[np.uint8]]:
    """Decode images in order, on a few threads, to blocks of uint8 ``image channel height width``.

    Raises:
        UserError: If a file is damaged; the message names the first one.
    """

    def some(part: list[tuple[Path | IO[bytes], str, Header]]) -> list[NDArray[np.uint8]]:
        return [decode(source, name, channels, size, heading.format) for source, name, heading in part]

    images = zip(sources, names, headings, strict=True)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        while block := list(islice(images, BLOCK)):
            parts = [block[start : start + 64] for start in range(0, len(block), 64)]
            yield np.stack([pixels for part in pool.map(some, parts) for pixels in part])


def decode(source: Path | IO[bytes], name: str, channels: int, size: Size, format: str | None = None) -> NDArray[np.uint8]:
    """Decode one image to uint8 ``channel height width``; another size is scaled to cover the target and centre-cropped.

    16 bits per channel are rounded to 8, transparent pixels show white, and a photograph is turned the way its EXIF data says.

    Args:
        source: The file.
        name: What to call it in messages.
        channels: 1 or 3.
        size: Height and width to bring it to.
        format: The format it probably has, tried first.

    Raises:
        UserError: If the file is damaged; the message names it.
    """
    with _opened(source, name, format) as image:
        upright = ImageOps.exif_transpose(image) if _orientation(image) > 1 else image
        converted = _opaque(_eight_bits(upright, image.format)).convert("L" if channels == 1 else "RGB")
        pixels = np.asarray(cover(converted, size), dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def cover(image: Image.Image, size: Size) -> Image.Image:
    """Scale an image so that it covers the target size, and crop the centre."""
    height, width = size
    if (image.height, image.width) == size:
        return image
    scale = max(height / image.height, width / image.width)
    scaled = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    return image.resize(scaled, Image.Resampling.BICUBIC).crop((left, top, left + width, top + height))


@contextmanager
def _opened(source: Path | IO[bytes], name: str, format: str | None) -> Iterator[Image.Image]:
    try:
        with _open(source, format) as image:
            yield image
    except DAMAGE as error:
        said = "its bytes are no image that Pillow knows" if isinstance(error, UnidentifiedImageError) else reason(error)
        raise UserError(f"{name} cannot be read as an image ({said}); remove or replace it") from error


def _open(source: Path | IO[bytes], format: str | None) -> Image.Image:
    if format in Image.OPEN:  # trying every format in turn takes longer than decoding a small image
        try:
            return Image.open(source, formats=(format,))
        except UnidentifiedImageError:
            pass
    return Image.open(source)


def _orientation(image: Image.Image) -> int:
    if "exif" not in image.info:  # asking further would decode a PNG
        return 1
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except DAMAGE:
        return 1


def _eight_bits(image: Image.Image, format: str | None) -> Image.Image:
    if image.mode == "F" or (image.mode == "I" and format not in ("PNG", "PPM")):
        raise ValueError("32 bits per channel have no known range, save it with 8 or 16")
    if not image.mode.startswith("I"):
        return image
    wide = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
