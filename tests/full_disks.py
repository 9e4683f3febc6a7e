"""Disks without room: small file systems where mounting is allowed, otherwise a limit on the size of files."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process may become larger than so many bytes; what is written beyond fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """Mount a file system of so many bytes on a folder; what this gives makes room on it.

    Raises:
        OSError: If mounting is not allowed.
    """
    if os.geteuid() != 0 or _run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)):
        raise OSError("mounting is not allowed here")
    try:
        yield lambda: _check(_run("mount", "-o", "remount,size=64m", str(folder)))
    finally:
        _run("umount", "-l", str(folder))


@contextmanager
def full_disk(folder: Path, size: int, *, mounted: bool = True) -> Iterator[Callable[[], None]]:
    """A folder on a disk with so little room, by whatever this system allows; what this gives makes room.

    Args:
        folder: An empty one.
        size: Bytes, of all files together or, where mounting is not allowed, of each.
        mounted: Whether to try to mount.
    """
    with contextlib.ExitStack() as stack:
        if mounted:
            with contextlib.suppress(OSError):
                yield stack.enter_context(small_disk(folder, size))
                return
        limit = stack.enter_context(contextlib.ExitStack())
        limit.enter_context(files_of_at_most(size))
        yield limit.close


def _run(*command: str) -> int:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode
    except FileNotFoundError:
        return 1


def _check(code: int) -> None:
    if code:
        raise RuntimeError("the disk cannot be made larger")
