"""Locks between processes, which the system releases when their process ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

from datastill.errors import UserError
from datastill.files.messages import reason, storage_error
from datastill.files.partial import beside
from datastill.logs import logger

log = logger(__name__)

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system says that has no locks, such as some network file systems."""
PATIENCE = 1.0
"""Seconds of waiting before it is told."""


class InUseError(UserError):
    """Another process holds a lock."""


@contextlib.contextmanager
def locked(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock of a file or folder; a file beside it, with a name of our own, stands for it.

    Args:
        path: What only one process may write at a time. It need not exist.
        what: What that is, in words, for messages.
        wait: Whether to wait until another process has ended, saying so, or to refuse.

    Raises:
        InUseError: If another process holds it and `wait` is false.
        UserError: If the file of the lock cannot be written.
    """
    place = beside(path, "lock")
    descriptor = _acquired(place, path, what, wait=wait)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if _stands_for(descriptor, place):
                place.unlink()
        os.close(descriptor)


def in_use(path: Path) -> bool:
    """Whether a process holds the lock of a file or folder (see `locked`); nothing is written."""
    try:
        descriptor = os.open(beside(path, "lock"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False


def _acquired(place: Path, path: Path, what: str, *, wait: bool) -> int:
    began, told = time.monotonic(), False
    while True:
        descriptor = _open(place, path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            if not wait:
                raise InUseError(f"{what} is in use by {holder}: wait until that process has ended, or end it") from None
            if not told and time.monotonic() - began > PATIENCE:
                log.info("waiting for %s, which is working on %s", holder, what)
                told = True
            time.sleep(min(1.0, 0.01 + (time.monotonic() - began) / 10))
            continue
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                os.close(descriptor)
                raise storage_error(error, path) from error
            log.warning("%s cannot be locked (%s): make sure that no other process is using it", what, reason(error))
            return descriptor
        if _stands_for(descriptor, place):
            with contextlib.suppress(OSError):  # who holds it is only for messages
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, f"process {os.getpid()} on {platform.node()}".encode(), 0)
            return descriptor
        os.close(descriptor)  # removed by the process that held it


def _open(place: Path, path: Path) -> int:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            return os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except PermissionError:  # of another user
            return os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise storage_error(error, path) from error


def _stands_for(descriptor: int, place: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(place))
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    try:
        said = os.pread(descriptor, 200, 0).decode(errors="replace")
    except OSError:
        said = ""
    return said if said.startswith("process ") and said.isprintable() else "another process"
