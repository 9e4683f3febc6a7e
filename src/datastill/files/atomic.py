"""Files that are complete or absent: atomic writes, and a clear message when the disk is full."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from datastill.errors import UserError


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that it is either the old one or the new one, even if the process is killed or the disk is full.

    Raises:
        UserError: If the disk is full or the folder cannot be written; the old file is intact.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):  # where the folder cannot be made, this fails too and would hide why
            partial.unlink(missing_ok=True)


def check_file(path: Path) -> None:
    """Refuse what cannot be the name of a file to write, before the work that fills it.

    Raises:
        UserError: If the path names no file, such as ".", or a folder.
    """
    if not path.name or path.name == ".." or path.is_dir():
        raise UserError(f"`out` must be a file, but {path} is a folder: name a file in it, such as {path / 'result'}")


def storage_error(error: OSError, path: Path) -> UserError:
    """An error that says in one line that a file could not be written, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"no space left on the disk to write {path}; what was written before is intact: free some space and run the command again"
        )
    return UserError(f"cannot write {path} ({reason(error)}); choose another folder or fix its permissions")


def reason(error: BaseException) -> str:
    """The first line of what an exception says, for the brackets of a message."""
    said = error.strerror if isinstance(error, OSError) else None
    return next(iter((said or str(error)).splitlines()), "") or type(error).__name__


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
