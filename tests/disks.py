"""A disk that can be full."""

from __future__ import annotations

import errno
import os


class Disk:
    """Writes what it is given to write until it is filled."""

    def __init__(self) -> None:
        self._full, self._sync = False, os.fsync

    def fill(self) -> None:
        """Leave no space."""
        self._full = True

    def free(self) -> None:
        """Make space again."""
        self._full = False

    def sync(self, descriptor: int) -> None:
        """Write what a file holds, or say that there is no space for it."""
        if self._full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._sync(descriptor)
