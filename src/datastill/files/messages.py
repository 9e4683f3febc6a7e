"""What a failed write says, in one line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from datastill.errors import UserError

NO_ROOM = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "no space left on the disk",
    errno.EFBIG: "files are not allowed to become large enough",
}

NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)


def storage_error(error: OSError, path: Path) -> UserError:
    """An error that says in one line that a file could not be written, and what to do."""
    if error.errno in NO_ROOM:
        return UserError(
            f"{NO_ROOM[error.errno]} to write {path}; what was written before is intact: free some space and run the command again"
        )
    blocking = next((parent for parent in path.parents if error.errno in NO_FOLDER and os.path.isfile(parent)), None)  # noqa: PTH113 (never raises)
    if blocking is not None:
        return UserError(f"cannot write {path} ({blocking} is a file, not a folder); choose another folder or fix its permissions")
    return UserError(f"cannot write {path} ({reason(error)}); choose another folder or fix its permissions")


def refuse_home(path: Path) -> None:
    """Refuse to make a folder called "~" or "~NAME" where a home folder was meant.

    Raises:
        UserError: If the shell left such a beginning as it is and nothing is called so.
    """
    first = next(iter(path.parts), "")
    if first.startswith("~") and not os.path.lexists(first):
        raise UserError(
            f"cannot write {path}: the shell found no home folder for {first}; write the folder out, or begin with {Path.cwd()} if it is "
            f"to be called so"
        )


def reason(error: BaseException) -> str:
    """The first line of what an exception says, for the brackets of a message."""
    said = error.strerror if isinstance(error, OSError) else None
    return next(iter((said or str(error)).splitlines()), "") or type(error).__name__
