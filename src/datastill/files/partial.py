"""What is being written has a name of its own, which nobody can know before, and is locked by the process that writes it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

OURS = re.compile(r"\.datastill-[0-9a-f]{16}\.(partial|lock|lease)")
"""Names of what is being written, of locks and of leases: nothing else is passed over or removed as a leftover."""

PASSED_OVER = (".DS_Store",)


@contextlib.contextmanager
def partial_file(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a new file in a folder; it is removed at the end unless it was moved away.

    Raises:
        OSError: If it cannot be made.
    """
    descriptor, path = _new(folder, _create)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def partial_folder(folder: Path) -> Iterator[Path]:
    """Make a new folder in a folder; it is removed at the end with all that is in it.

    Raises:
        OSError: If it cannot be made.
    """
    descriptor, path = _new(folder, _make)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def beside(path: Path, kind: str) -> Path:
    """The file of ours that goes with a file or folder, in the same folder, whatever that is called."""
    name = hashlib.blake2b(path.name.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return path.with_name(f".datastill-{name}.{kind}")


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing but what is passed over: what we were writing when we were killed, and what file managers leave.

    Raises:
        OSError: If it cannot be read.
    """
    return all(OURS.fullmatch(entry.name) or entry.name in PASSED_OVER for entry in folder.iterdir())


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing, so that a new one can be moved to its place; anything else stays as it is."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes of this user were writing in a folder: what a living process writes is locked by it."""
    try:
        found = [path for path in folder.iterdir() if OURS.fullmatch(path.name) and path.suffix == ".partial"]
    except OSError:
        return
    for path in found:
        with contextlib.suppress(OSError):
            _remove_if_dead(path)


def _remove_if_dead(path: Path) -> None:
    whole = path.is_dir()
    descriptor = os.open(path, (os.O_RDONLY if whole else os.O_RDWR) | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path) if whole else path.unlink()
    finally:
        os.close(descriptor)


def _new(folder: Path, make: Callable[[Path], int]) -> tuple[int, Path]:
    while True:
        path = folder / f".datastill-{secrets.token_hex(8)}.partial"
        try:
            descriptor = make(path)
        except KeyboardInterrupt:  # it may have been made already
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
            raise
        with contextlib.suppress(OSError):  # a file system without locks: then nothing is taken for a leftover either
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        if os.path.lexists(path):
            return descriptor, path
        os.close(descriptor)  # another process took it for a leftover before it was locked


def _create(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)


def _make(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
