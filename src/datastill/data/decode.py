"""Images to uint8 arrays of one size and one number of channels."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from datastill.data.image_files import MOST_PIXELS, Source, deep, opened, orientation
from datastill.errors import UserError
from datastill.logs import logger, note
from datastill.reading import Reading
from datastill.size import Size

log = logger(__name__)

SHALLOW = 14
"""Images of 16 bits that use no more than these are hardly meant to be as dark as that."""


@dataclass
class Seen:
    """What is only known once the images of a split are decoded.

    Attributes:
        name: Of the split.
        transparent: Images with a pixel that is not opaque.
        fourth: Images with a fourth channel that is not transparency.
        highest: The highest value of an image with 16 bits; -1 without any.
        coloured: Images with 16 bits in each of several channels.
    """

    name: str
    transparent: int = 0
    fourth: int = 0
    highest: int = -1
    coloured: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, transparent: bool = False, fourth: bool = False, highest: int = -1, coloured: bool = False) -> None:
        """Count an image."""
        with self.lock:
            self.transparent += transparent
            self.fourth += fourth
            self.coloured += coloured
            self.highest = max(self.highest, highest)

    def say(self, images: int, transparency: str) -> None:
        """Tell of channels beyond grey or colour."""
        if self.transparent and transparency == "white":
            note(
                log.warning, "%s: %d of %d images have transparent pixels, which show white; if their last channel is something else, "
                "`transparency=ignore` leaves it out", self.name, self.transparent, images,
            )  # fmt: skip
        if self.fourth:
            note(log.warning, "%s: %d of %d images have a fourth channel, which is left out", self.name, self.fourth, images)

    def check_depth(self, depth: int | None) -> None:
        """Refuse 16-bit images whose values do not fit the given depth, or that would be read as a few grey levels.

        Args:
            depth: The number of bits that are used, from 1 to 16; None if it was not given.

        Raises:
            UserError: If a value needs more than `depth` bits, or if `depth` is None and all values fit into `SHALLOW` bits.
        """
        if depth is not None:
            if self.highest >= 2**depth:
                raise UserError(
                    f"{self.name}: the values of the images reach {self.highest}, but {depth} bits end at {2**depth - 1}: "
                    f"`bit_depth={self.highest.bit_length()}` holds them"
                )
            return
        if not 0 <= self.highest < 2**SHALLOW:
            return
        bits = max(1, self.highest.bit_length())
        instead = "save them with 8 bits" if self.coloured else f"`bit_depth={bits}` reads them as images of {bits} bits"
        raise UserError(
            f"{self.name}: the images have 16 bits per channel but no value above {self.highest}, which leaves "
            f"{self.highest * 255 // 65535 + 1} of 256 levels: {instead}, `bit_depth=16` as images that are as dark as that"
        )


def decode(
    source: Source,
    name: str,
    channels: int,
    size: Size,
    format: str | None = None,
    *,
    reading: Reading | None = None,
    seen: Seen | None = None,
) -> NDArray[np.uint8]:
    """Decode one image to uint8 ``channel height width``; another size is scaled to cover the target and centre-cropped.

    16 bits per channel are rounded to 8, transparent pixels show white, and a photograph is turned the way its EXIF data says.

    Args:
        source: The image.
        name: What to call it in messages.
        channels: 1 or 3.
        size: Height and width to bring it to.
        format: The format it probably has, tried first.
        reading: The number of bits and what is done about transparency.
        seen: Takes what is found out.

    Raises:
        UserError: If the image is damaged; the message names it.
    """
    reading, seen = reading or Reading(), seen or Seen("")
    with opened(source, name, format) as image:
        _scaled(image, size)  # an image too narrow for it is not worth decoding
        wide = deep(image)
        upright = ImageOps.exif_transpose(image) if orientation(image) > 1 else image
        eight = _eight_bits(upright, image.format, wide, reading.bit_depth, seen)
        converted = _opaque(eight, reading.transparency, seen).convert("L" if channels == 1 else "RGB")
        pixels = np.asarray(cover(converted, size), dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def cover(image: Image.Image, size: Size) -> Image.Image:
    """Scale an image so that it covers the target size, and crop the centre."""
    height, width = size
    if (image.height, image.width) == size:
        return image
    scaled = _scaled(image, size)
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    return image.resize(scaled, Image.Resampling.BICUBIC).crop((left, top, left + width, top + height))


def _scaled(image: Image.Image, size: Size) -> tuple[int, int]:
    """Width and height of an image that covers the target size."""
    height, width = size
    scale = max(height / image.height, width / image.width)
    scaled = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    if scaled[0] * scaled[1] > MOST_PIXELS:
        raise ValueError(f"its sides, {image.width}x{image.height} pixels, are too different to be brought to {width}x{height}")
    return scaled


def _eight_bits(image: Image.Image, format: str | None, wide: bool, depth: int | None, seen: Seen) -> Image.Image:
    if image.mode == "F" or (image.mode == "I" and format not in ("PNG", "PPM")):
        raise ValueError("32 bits per channel have no known range, save it with 8 or 16")
    if not image.mode.startswith("I"):
        if wide:  # Pillow reads the upper 8 bits of each channel
            if depth not in (None, 16):
                raise ValueError(f"16 bits in each of several channels can only be read as such, not as {depth} bits: save it with 8")
            highest = max(high for band, (_, high) in zip(image.getbands(), _extrema(image), strict=True) if band != "A")
            seen.add(highest=256 * highest + 255, coloured=True)
        return image
    values = np.asarray(image).astype(np.uint32)
    most = 2 ** (depth or 16) - 1
    highest = int(values.max(initial=0))
    seen.add(highest=highest)  # above `most` it is refused once all are seen
    return Image.fromarray(((values.clip(max=most) * 255 + most // 2) // most).astype(np.uint8))


def _extrema(image: Image.Image) -> list[tuple[int, int]]:
    found = image.getextrema()
    return list(found) if isinstance(found[0], tuple) else [found]  # type: ignore[list-item]  # one channel has one pair


def _opaque(image: Image.Image, transparency: str, seen: Seen) -> Image.Image:
    if image.mode == "RGBX":
        seen.add(fourth=True)
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return image
    seeing = image.convert("RGBA")
    seen.add(transparent=_extrema(seeing.getchannel("A"))[0][0] < 255)
    if transparency == "ignore":
        seeing.putalpha(255)
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), seeing)
