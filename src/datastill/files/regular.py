"""Files that other people named: opened only if they are regular files."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from datastill.files.atomic import KINDS


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. A pipe would wait for a writer for ever, and a device may never end.

    Raises:
        OSError: If there is no such file, it cannot be read, or it is not a regular file.
    """
    check_regular(path)  # opening some devices has an effect
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check(os.fstat(descriptor).st_mode, path)  # another file may have taken its place
        return os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise


def read_regular(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: As of `open_regular`.
    """
    with open_regular(path) as file:
        return file.read()


def check_regular(path: Path) -> None:
    """Refuse what is not a regular file, for libraries that open files themselves.

    Raises:
        OSError: If there is no such file, or it is not a regular file.
    """
    _check(os.stat(path).st_mode, path)  # noqa: PTH116


def _check(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"it is {KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file", str(path))
