"""From a source's own order to class-contiguous uint8 storage, in memory or memory-mapped."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from datastill.data.images import ClassImages
from datastill.data.sources import Sources
from datastill.errors import UserError
from datastill.files import locked, make_folder, partial_file, remove_leftovers, sealed, storage_error, unsealed
from datastill.logs import logger
from datastill.size import Size

log = logger(__name__)

MEMORY_BUDGET = 4 * 2**30
"""Bytes of a split above which it is memory-mapped from the cache instead of held in memory."""

BLOCK = 2**22
"""Bytes of a memory-mapped split that have one checksum."""

DECODING = 1
"""Raised when files are decoded to other pixels than before, so that no older memory-mapped split is found again."""


@dataclass(frozen=True)
class RawSplit:
    """A split as its source keeps it.

    Attributes:
        labels: The class of every image in the source's order.
        channels: 1 or 3.
        size: Height and width in pixels after decoding.
        blocks: Decodes the images in order, as uint8 ``image channel height width`` blocks of any length.
        identity: Names the source and its state, for the cache of a memory-mapped split; "" for one that is not kept there.
        skipped: The names of images that were left out, as they cannot be read.
        names: What the source calls its images, in its order; empty where it has no names.
    """

    labels: NDArray[np.int64]
    channels: int
    size: Size
    blocks: Callable[[], Iterator[NDArray[np.uint8]]]
    identity: str
    skipped: tuple[str, ...] = ()
    names: Sequence[str] = ()


@dataclass(frozen=True)
class RawData:
    """What a source gives: a training split, a test split if it has one, and the names of the classes."""

    class_names: tuple[str, ...]
    train: RawSplit
    test: RawSplit | None


def cache_folder() -> Path:
    """Where downloads, pretrained networks and memory-mapped splits are kept: ``DATASTILL_CACHE`` or ``~/.cache/datastill``.

    Raises:
        UserError: If neither is known, as for a user without a name in a container.
    """
    given = os.environ.get("DATASTILL_CACHE")
    try:
        return Path(given) if given else Path.home() / ".cache" / "datastill"
    except RuntimeError as error:
        raise UserError("this user has no home folder to keep networks in: set DATASTILL_CACHE to a folder of yours") from error


def arrange(raw: RawSplit, classes: int, *, budget: int = MEMORY_BUDGET, part: str = "") -> ClassImages:
    """Decode a split into class-contiguous storage.

    Args:
        raw: The split in its source's order.
        classes: Number of classes.
        budget: Bytes above which the storage is a memory-mapped file in the cache, written once and found again.
        part: What the split is called in its source.
    """
    count = len(raw.labels)
    shape = (count, raw.channels, *raw.size)
    position = np.empty(count, dtype=np.int64)
    order = np.argsort(raw.labels, kind="stable")
    position[order] = np.arange(count)
    if int(np.prod(shape)) <= budget:
        storage: NDArray[np.uint8] = np.empty(shape, dtype=np.uint8)
        _fill(storage, raw, position)
    else:
        storage = _mapped(raw, position, shape)
    counts = tuple(np.bincount(raw.labels, minlength=classes).tolist())
    return ClassImages(torch.from_numpy(storage), torch.arange(count), counts, Sources(torch.from_numpy(order), raw.names, part))


def _fill(storage: NDArray[np.uint8], raw: RawSplit, position: NDArray[np.int64]) -> None:
    start = 0
    for block in raw.blocks():
        storage[position[start : start + len(block)]] = block
        start += len(block)


def _mapped(raw: RawSplit, position: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    folder = cache_folder() / "mapped"
    if not raw.identity:
        make_folder(folder)
        return _decode(folder, None, raw, position, shape)
    key = hashlib.blake2b(repr((DECODING, raw.identity, shape)).encode(), digest_size=8).hexdigest()
    path = folder / f"{key}.npy"
    if _damage(path, shape):
        with locked(path, f"the pixels in {path}", wait=True):
            if found := _damage(path, shape):  # no other process decoded them meanwhile
                if path.exists():
                    log.warning("%s %s: its images are decoded again", path, found)
                remove_leftovers(folder)
                _decode(folder, path, raw, position, shape)
    mapped: NDArray[np.uint8] = np.load(path, mmap_mode="c")
    return mapped


def _decode(folder: Path, path: Path | None, raw: RawSplit, position: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Decode into a file of a folder and map it; without a path the file has no name by the end, and lasts as long as it is used."""
    try:
        with partial_file(folder) as (file, partial):
            storage = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
            _reserve(file, partial.stat().st_size)
            _fill(storage, raw, position)
            storage.flush()
            if path:
                file.seek(0, os.SEEK_END)
                file.write(json.dumps(sealed({"checksums": _checksums(storage)})).encode())
                file.flush()
                os.fsync(file.fileno())
            mapped: NDArray[np.uint8] = np.load(partial, mmap_mode="c")
            if path:
                partial.replace(path)
            return mapped
    except OSError as error:
        raise storage_error(error, path or folder) from error


def _damage(path: Path, shape: tuple[int, ...]) -> str:
    """What is wrong with a file of pixels, "" for nothing. All of it is read once, at the speed of the disk or of the processor.

    The checksums follow the pixels in the file, so that both are there or neither is.
    """
    try:
        found = np.load(path, mmap_mode="r")
        if found.shape != shape or found.dtype != np.uint8 or not found.flags.c_contiguous:
            return "is not what it should be"
        with path.open("rb") as file:
            file.seek(found.offset + found.nbytes)
            kept = file.read()
        if not kept:
            return "was written by an earlier version, without checksums"
        content, checked = unsealed(json.loads(kept), "the end")
    except (OSError, ValueError, EOFError, LookupError, TypeError, AttributeError, RecursionError):
        return "is damaged"
    return "" if checked and content == {"checksums": _checksums(found)} else "is damaged"


def _checksums(pixels: NDArray[np.uint8]) -> list[int]:
    """The CRC-32 of every block: it notices any flipped bit, and takes a quarter of the time of a cryptographic hash or less."""
    flat = pixels.reshape(-1)
    return [zlib.crc32(flat[start : start + BLOCK].data) for start in range(0, len(flat), BLOCK)]


def _reserve(file: BinaryIO, size: int) -> None:
    """Reserve the space on disk now: a full disk kills a process that writes through a memory map."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
