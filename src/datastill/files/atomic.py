"""Files and folders that are complete or absent: written beside their place, and moved there once."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from datastill.errors import UserError
from datastill.files.messages import refuse_home, storage_error
from datastill.files.partial import partial_file, partial_folder, remove_leftovers

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def write_atomic(path: Path, content: bytes | str | Iterable[bytes | memoryview]) -> None:
    """Write a file so that it is either the old one or the new one, even if the process is killed or the disk is full.

    Args:
        path: The file. A link in its place is replaced and never followed, as somebody else may have put it there; see `through_links` for
            files that users name.
        content: Bytes, text (as UTF-8), or parts that follow one another.

    Raises:
        UserError: If the disk is full, the folder cannot be written, or there is something else than a regular file. What was there is
            intact.
    """
    data = content.encode() if isinstance(content, str) else content
    refuse_home(path)
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            _require_file(path, path.lstat())
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial_file(path.parent) as (file, partial):
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
            partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Build a folder: what is made at the path that this gives is moved to `target` at the end, as a whole, or removed if anything failed.

    Raises:
        UserError: If there is something already, the disk is full or the folder cannot be written; then there is no new folder.
    """
    refuse_home(target)
    with contextlib.ExitStack() as stack:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(target.parent)
            built = stack.enter_context(partial_folder(target.parent)) / target.name
        except OSError as error:
            raise storage_error(error, target) from error
        try:
            yield built
        except UserError as error:
            if isinstance(error.__cause__, OSError):  # the path of a file that was being written in it tells nobody anything
                raise storage_error(error.__cause__, target) from error.__cause__
            raise
        try:
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            built.rename(target)
            _sync_folder(target.parent)
        except OSError as error:
            raise storage_error(error, target) from error


def through_links(path: Path) -> Path:
    """The file that a path named by a user leads to: where it is a link, the link stays and its file is written.

    Raises:
        UserError: If there is something that is no regular file, or a link that leads nowhere.
    """
    try:
        _require_file(path, path.stat())
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise UserError(f"{path} is a link to nothing: remove it, or name another file") from None
        return path
    except OSError as error:
        raise storage_error(error, path) from error
    return path.resolve() if path.is_symlink() else path


def _require_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "of an unknown kind")
        raise UserError(f"{path} is {kind}, and only a regular file can be written: name another file")


def check_file(path: Path) -> None:
    """Refuse what cannot be written as a file, before the work that fills it.

    Raises:
        UserError: If the path names no file, such as ".", a folder or a device, or its folder cannot be written.
    """
    if not path.name or path.name == ".." or path.is_dir():
        raise UserError(f"`out` must be a file, but {path} is a folder: name a file in it, such as {path / 'result'}")
    check_folder(through_links(path).parent, path)


def check_folder(folder: Path, path: Path | None = None) -> None:
    """Try whether files can be written into a folder, before the work that fills it. Nothing is left behind.

    Args:
        folder: It need not exist: then it is tried whether it can be made.
        path: What the message names; by default the folder.

    Raises:
        UserError: If not.
    """
    refuse_home(path or folder)
    existing = next(place for place in (folder, *folder.parents, Path()) if os.path.lexists(place))
    remove_leftovers(existing)
    try:
        with partial_file(existing):
            pass
    except OSError as error:
        raise storage_error(error, path or folder) from error


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those that it is in, where they are not there.

    Args:
        folder: The folder.
        mode: Its permissions, of which those are taken away that the user takes away from every file.

    Raises:
        UserError: If it cannot be made.
    """
    refuse_home(folder)
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error


def open_to_append(path: Path) -> TextIO:
    """Open a regular file, new or not, to add text at its end; a link is not followed.

    Raises:
        UserError: If it cannot be written, or there is something else than a regular file.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        try:
            _require_file(path, os.fstat(descriptor))
            return os.fdopen(descriptor, "a", encoding="utf-8")
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise storage_error(error, path) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
