"""Targets on disk: found again by what they are made of, checked when they are read, and bounded in size."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from datastill.data import cache_folder
from datastill.errors import UserError
from datastill.files import load_tensors, locked, remove_leftovers, save_tensors
from datastill.logs import logger

log = logger(__name__)

LIMIT = "DATASTILL_TARGETS_GB"
"""The environment variable that bounds kept targets, in gigabytes (1e9 bytes)."""
DEFAULT_LIMIT = 4.0
OURS = re.compile(r"[0-9a-f]{32}\.safetensors")


class TargetStore:
    """Files under the cache, the oldest of which make room for new ones; those that are read count as new.

    Args:
        folder: Where; by default ``targets`` in the cache.
        limit: Bytes of all files together; by default what `LIMIT` says, or 4 GB.

    Raises:
        UserError: If `LIMIT` is not a number of at least 0.
    """

    def __init__(self, folder: Path | None = None, limit: int | None = None) -> None:
        self.folder = folder or cache_folder() / "targets"
        self.limit = _limit() if limit is None else limit
        self._told = False

    def path(self, made_of: str) -> Path:
        """The file of what is made of something."""
        return self.folder / f"{hashlib.blake2b(made_of.encode(), digest_size=16).hexdigest()}.safetensors"

    def read(self, made_of: str) -> dict[str, Tensor] | None:
        """Find tensors by what they are made of; None if there are none, or if the file is damaged, which is reported in one line."""
        path = self.path(made_of)
        if not path.exists():
            return None
        try:
            tensors, text = load_tensors(path)
        except UserError as error:
            log.warning("%s; the targets in it will be computed again", error)
            return None
        if (text.get("made_of"), text.get("layout")) != (made_of, _layout(tensors)):
            log.warning("%s holds other targets; they will be computed again", path)
            return None
        with contextlib.suppress(OSError):  # of another user, or removed by another run meanwhile
            os.utime(path)
        return tensors

    def write(self, made_of: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors, and remove the oldest files if all are too large together; a run continues if nothing can be written."""
        path = self.path(made_of)
        try:
            with locked(self.folder / "targets", "the kept targets", wait=True):
                remove_leftovers(self.folder)
                save_tensors(path, tensors, {"made_of": made_of, "layout": _layout(tensors)})
                self._make_room(path)
        except UserError as error:
            if not self._told:
                log.warning("%s; targets will be kept in memory only", error)
                self._told = True

    def _make_room(self, newest: Path) -> None:
        files = []
        for path in self.folder.iterdir():
            if OURS.fullmatch(path.name) and path != newest:
                with contextlib.suppress(OSError):
                    found = path.stat()
                    files.append((found.st_mtime_ns, path, found.st_size))
        size = sum(each for _, _, each in files) + newest.stat().st_size
        for _, path, each in sorted(files):
            if size <= self.limit:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            size -= each


def _layout(tensors: Mapping[str, Tensor]) -> str:
    """Names, types and shapes, which depend on the terms and so are not known before something is computed."""
    return json.dumps({name: [str(tensors[name].dtype), list(tensors[name].shape)] for name in sorted(tensors)})


def _limit() -> int:
    said = os.environ.get(LIMIT) or str(DEFAULT_LIMIT)
    try:
        limit = float(said)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < math.inf:
        raise UserError(f"{LIMIT} must be a number of gigabytes, such as {DEFAULT_LIMIT:g}, got '{said}'")
    return int(limit * 1e9)
