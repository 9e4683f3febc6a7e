"""From a list of labelled images, files or not, to a split: headers first, pixels when they are asked for, damage told of at once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import compress, islice

import numpy as np
from numpy.typing import NDArray

from datastill.data.decode import Seen, decode
from datastill.data.image_files import BrokenImageError, Header, Source, header
from datastill.data.storage import RawSplit
from datastill.errors import UserError
from datastill.logs import logger, note
from datastill.reading import Reading
from datastill.size import Size
from datastill.text import counted

log = logger(__name__)

MIXED_SIZE = 64
"""The side that images of different sizes are resized to, unless the user names one."""
LARGEST_SIDE = 256
"""Images of one size up to this keep it."""
BLOCK = 1024
"""Images decoded at a time, at most 64 by one thread before the next takes over."""
TOLD = 20
"""Broken images that a message names."""

Decoded = NDArray[np.uint8] | BrokenImageError


@dataclass(frozen=True)
class Listing:
    """The images of a split, in order.

    Attributes:
        title: What the split is called in messages.
        names: What every image is called.
        labels: The class of every image, int64.
        sources: Gives every image, or why it cannot be had.
        identity: Names the images with some names and their state, for the cache of a memory-mapped split; "" keeps none.
        headings: What every image is, if it is known already.
    """

    title: str
    names: Sequence[str]
    labels: NDArray[np.int64]
    sources: Callable[[], Iterable[Source | BrokenImageError]]
    identity: Callable[[Sequence[str]], str]
    headings: Sequence[Header | BrokenImageError] | None = None

    def only(self, keep: Sequence[bool]) -> Listing:
        """Some of the images."""
        return replace(
            self,
            names=list(compress(self.names, keep)),
            labels=self.labels[np.array(keep, dtype=bool)],
            sources=lambda: compress(self.sources(), keep),
            headings=None if self.headings is None else list(compress(self.headings, keep)),
        )


def split(listing: Listing, size: Size | None, channels: int | None, reading: Reading) -> RawSplit:
    """Describe a split.

    Args:
        listing: Its images.
        size: Height and width to bring them to; None keeps a common size.
        channels: 1 or 3; None takes 3 if any image has colour.
        reading: What is done about broken images, depth and transparency.

    Raises:
        UserError: If images cannot be read; the message names them.
    """
    found = _headers(listing)
    headings = [entry for entry in found if isinstance(entry, Header)]
    channels = channels or max((heading.channels for heading in headings), default=1)
    skipped: tuple[str, ...] = ()
    if len(headings) < len(found) or reading.skip_broken:
        sound = [isinstance(entry, Header) for entry in found]
        goal = _target(headings, size) if headings else (1, 1)
        blocks = _decoded(listing.only(sound), headings, channels, goal, reading, Seen(""))
        decoded = (entry for block in blocks for entry in block)
        broken = {number: entry for number, entry in enumerate(found) if isinstance(entry, BrokenImageError)}
        broken |= {
            int(number): entry for number, entry in zip(np.flatnonzero(sound), decoded, strict=True) if isinstance(entry, BrokenImageError)
        }
        errors = [broken[number] for number in sorted(broken)]
        if errors and (len(errors) == len(found) or not reading.skip_broken):
            raise refusal(listing, errors)
        if errors:
            skipped = tuple(error.name for error in errors)
            note(
                log.warning,
                "%s: %d of %d images cannot be read and are left out: %s",
                listing.title,
                len(errors),
                len(found),
                _told(errors),
            )
        headings = [entry for number, entry in enumerate(found) if number not in broken and isinstance(entry, Header)]
        listing = listing.only([number not in broken for number in range(len(found))])
    goal = _target(headings, size)
    _say(listing, headings, goal, size)
    choices = [value for value in (reading.bit_depth, reading.transparency, skipped) if value not in (None, "white", ())]
    identity = listing.identity(listing.names)
    return RawSplit(
        listing.labels, channels, goal, lambda: decode_blocks(listing, headings, channels, goal, reading),
        f"{identity} {choices}" if identity and choices else identity, skipped, listing.names,
    )  # fmt: skip


def decode_blocks(listing: Listing, headings: Sequence[Header], channels: int, size: Size, reading: Reading) -> Iterator[NDArray[np.uint8]]:
    """Decode images in order, on a few threads, to blocks of uint8 ``image channel height width``.

    Raises:
        UserError: If images are damaged, once all were tried; the message names them.
    """
    seen, errors = Seen(listing.title), list[BrokenImageError]()
    for block in _decoded(listing, headings, channels, size, reading, seen):
        errors += [entry for entry in block if isinstance(entry, BrokenImageError)]
        if not errors:
            yield np.stack([entry for entry in block if not isinstance(entry, BrokenImageError)])
    if errors:
        raise refusal(listing, errors)
    seen.check_depth(reading.bit_depth)
    seen.say(len(headings), reading.transparency)


def refusal(listing: Listing, errors: Sequence[BrokenImageError]) -> UserError:
    """What is said of broken images."""
    if len(errors) == 1:
        return errors[0]
    first, *others = errors
    advice = "remove or replace them, or leave them out with `skip_broken=True`"
    if len(errors) == len(listing.names):
        advice = "these are all images there are; each must be a whole image file with 1 to 4 channels, not raw pixels"
        if all(error.why == first.why for error in others):
            return UserError(
                f"none of the {len(errors)} images of {listing.title} can be read, the first being {first.name} ({first.why}): each must "
                "be a whole image file with 1 to 4 channels, not raw pixels"
            )
    return UserError(
        f"{first.name} cannot be read as an image ({first.why}), nor can {len(others)} more of {len(listing.names)}: {_told(others)}: "
        f"{advice}"
    )


def _headers(listing: Listing) -> list[Header | BrokenImageError]:
    """What every image's first bytes say, without decoding it."""
    if listing.headings is not None:
        return list(listing.headings)
    found: list[Header | BrokenImageError] = []
    format: str | None = None
    with _quiet():
        for source, name in zip(listing.sources(), listing.names, strict=True):
            try:
                heading = header(_whole(source), name, format)
                found.append(heading)
                format = heading.format
            except BrokenImageError as error:
                found.append(error)
    return found


def _decoded(
    listing: Listing, headings: Sequence[Header], channels: int, size: Size, reading: Reading, seen: Seen
) -> Iterator[list[Decoded]]:
    """Decode every image, block by block; one that is damaged is its error."""

    def one(source: Source | BrokenImageError, name: str, heading: Header) -> Decoded:
        try:
            return decode(_whole(source), name, channels, size, heading.format, reading=reading, seen=seen)
        except BrokenImageError as error:
            return error

    def some(part: list[tuple[Source | BrokenImageError, str, Header]]) -> list[Decoded]:
        return [one(*entry) for entry in part]

    images = zip(listing.sources(), listing.names, headings, strict=True)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        while block := list(islice(images, BLOCK)):
            parts = [block[start : start + 64] for start in range(0, len(block), 64)]
            with _quiet():
                decoded = [entry for part in pool.map(some, parts) for entry in part]
            yield decoded


def _whole(source: Source | BrokenImageError) -> Source:
    if isinstance(source, BrokenImageError):
        raise source
    return source


def _target(headings: Sequence[Header], size: Size | None) -> Size:
    """The size that all images are brought to: the one asked for, the common one, or `MIXED_SIZE` squared."""
    if size:
        return size
    sizes = {heading.size for heading in headings}
    return next(iter(sizes)) if len(sizes) == 1 and max(next(iter(sizes))) <= LARGEST_SIDE else (MIXED_SIZE, MIXED_SIZE)


def _say(listing: Listing, headings: Sequence[Header], goal: Size, asked: Size | None) -> None:
    """Tell of what is done to images without having been asked for."""
    sizes = {heading.size for heading in headings}
    if asked is None and sizes != {goal}:
        small, large = min(sizes), max(sizes)
        note(
            log.warning,
            "%s: images of %s from %dx%d to %dx%d pixels are scaled and centre-cropped to %dx%d; choose another size by ending the "
            "data set's name with @SIZE",
            listing.title, counted(len(sizes), "size"), small[1], small[0], large[1], large[0], goal[1], goal[0],
        )  # fmt: skip
    if several := sum(heading.several for heading in headings):
        note(log.warning, "%s: %d of %d files hold several pictures, of which the first is read", listing.title, several, len(headings))


def _told(errors: Sequence[BrokenImageError]) -> str:
    """Names of broken images, together where the reason is the same."""
    reasons: dict[str, list[str]] = {}
    for error in errors[:TOLD]:
        reasons.setdefault(error.why, []).append(error.name)
    more = f", and {len(errors) - TOLD} more" if len(errors) > TOLD else ""
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items()) + more


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's own warnings: what matters in them is said by the messages of this module."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
