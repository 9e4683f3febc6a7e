"""What a failed write says, in one line."""

from __future__ import annotations

import errno
from pathlib import Path

from datastill.errors import UserError

NO_ROOM = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "no space left on the disk",
    errno.EFBIG: "files are not allowed to become large enough",
}


def storage_error(error: OSError, path: Path) -> UserError:
    """An error that says in one line that a file could not be written, and what to do."""
    if error.errno in NO_ROOM:
        return UserError(
            f"{NO_ROOM[error.errno]} to write {path}; what was written before is intact: free some space and run the command again"
        )
    return UserError(f"cannot write {path} ({reason(error)}); choose another folder or fix its permissions")


def reason(error: BaseException) -> str:
    """The first line of what an exception says, for the brackets of a message."""
    said = error.strerror if isinstance(error, OSError) else None
    return next(iter((said or str(error)).splitlines()), "") or type(error).__name__
