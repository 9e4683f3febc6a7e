"""Image files, opened with care: regular files in a few formats, whose pixels fit into memory. No other program is ever started."""

from __future__ import annotations

import contextlib
import struct
import threading
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from datastill.errors import UserError
from datastill.files import open_regular, reason
from datastill.size import Size
from datastill.text import counted

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "PPM", "JPEG2000")
"""What is decoded, whatever a file is called. Pillow knows more, and for one of them, PostScript, starts another program."""
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
)
"""Endings of files in these formats."""
MOST_PIXELS = 178_956_970
"""Larger images are refused: a small file can claim any size (a decompression bomb). It is where Pillow refuses by itself."""
LARGE = 2**24
"""Pixels above which images are decoded one at a time."""
GRAY_MODES = ("1", "L", "LA", "I", "F")
DAMAGE = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, AssertionError),
    *(MemoryError, struct.error, zlib.error, Image.DecompressionBombError),
)
"""What Pillow raises on damaged files."""

Source = Path | IO[bytes] | Image.Image | NDArray[np.uint8]
"""An image: a file, or one that was decoded already, as an array ``height width`` or ``height width channel``."""

_one_large_image = threading.Lock()


class BrokenImageError(UserError):
    """An image that cannot be read.

    Attributes:
        name: What it is called.
        why: Why not.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} cannot be read as an image ({why}); remove or replace it, or leave it out with `skip_broken=True`")
        self.name, self.why = name, why


class Header(NamedTuple):
    """What an image's first bytes say.

    Attributes:
        channels: 1 or 3.
        size: Height and width, the way it is looked at.
        format: As Pillow calls it.
        deep: Whether it has 16 bits per channel.
        several: Whether there are more pictures in the file than the one that is read.
    """

    channels: int
    size: Size
    format: str | None
    deep: bool = False
    several: bool = False


def header(source: Source, name: str, format: str | None = None) -> Header:
    """Read size and channels of an image without decoding it.

    Raises:
        BrokenImageError: If it is not an image.
    """
    with opened(source, name, format) as image:
        gray = image.mode in GRAY_MODES or image.mode.startswith("I;16")
        size = (image.width, image.height) if orientation(image) >= 5 else (image.height, image.width)
        return Header(1 if gray else 3, size, image.format, deep(image), _several(image))


@contextlib.contextmanager
def opened(source: Source, name: str, format: str | None = None) -> Iterator[Image.Image]:
    """Open an image; whatever fails while it is open is said of it.

    Args:
        source: The image.
        name: What to call it in messages.
        format: The format it probably has, tried first.

    Raises:
        BrokenImageError: If it is no image, or damaged.
    """
    try:
        with contextlib.ExitStack() as stack:
            if isinstance(source, Image.Image | np.ndarray):
                image = source if isinstance(source, Image.Image) else Image.fromarray(source)
            else:
                file = stack.enter_context(open_regular(source)) if isinstance(source, Path) else source
                image = stack.enter_context(Image.open(file, formats=_formats(format)))
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            if image.width * image.height > LARGE:
                stack.enter_context(_one_large_image)
            yield image
    except UserError:
        raise
    except DAMAGE as error:
        raise BrokenImageError(name, _why(error, source)) from error


def orientation(image: Image.Image) -> int:
    """The way a photograph is turned, from 1 (upright) to 8, as EXIF counts."""
    if "exif" not in image.info:  # asking further would decode a PNG
        return 1
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except DAMAGE:
        return 1


def deep(image: Image.Image) -> bool:
    """Whether an image that has not been decoded yet has 16 bits per channel."""
    return image.mode.startswith("I") or any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


@cache
def _formats(first: str | None) -> tuple[str, ...]:
    """The formats in the order in which they are tried: trying the wrong ones takes longer than decoding a small image."""
    Image.init()
    there = [format for format in FORMATS if format in Image.OPEN]
    return tuple(sorted(there, key=lambda known: known != first))


def _several(image: Image.Image) -> bool:
    if image.format not in ("GIF", "TIFF", "WEBP", "AVIF", "PNG"):  # a JPEG of a telephone has a preview as well
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except DAMAGE:
        return False


def _why(error: BaseException, source: Source) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"it claims to have more than {MOST_PIXELS // 10**6} million pixels, so it may be a decompression bomb"
    if isinstance(error, MemoryError):
        return "there is not enough memory for its pixels"
    if isinstance(error, UnidentifiedImageError):
        return _unknown(source)
    return reason(error)


def _unknown(source: Any) -> str:
    """Why Pillow does not know the bytes of a file."""
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open_regular(source)) if isinstance(source, Path) else source
            file.seek(0)
            start = file.read(8)
            if start[:4] not in (b"II*\0", b"MM\0*"):
                return f"Pillow does not recognise it as {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            tags = TiffImagePlugin.ImageFileDirectory_v2(start)
            file.seek(tags.next)
            tags.load(file)
            bands, bits = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1), tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
            return f"a TIFF with {counted(bands, 'channel')} of {max(bits)} bits; expected 1 to 4 channels of 8 bits, or 1 of 16"
    except DAMAGE:
        return "a damaged TIFF: Pillow does not recognise it"
