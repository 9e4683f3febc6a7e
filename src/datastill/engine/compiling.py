"""Compiling: what is compiled is kept for later processes, and whoever waits for it is told."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Literal

import torch

from datastill.data import cache_folder
from datastill.errors import UserError
from datastill.files import check_folder, make_folder, why_not_ours
from datastill.logs import logger
from datastill.progress import held_up

log = logger(__name__)

KEPT_IN = "TORCHINDUCTOR_CACHE_DIR"
"""The environment variable by which torch's compiler keeps what it compiles."""


LEFT_AFTER = 10.0
"""Seconds without a write after which a library that is not whole was left by a linker that was killed."""


class _Compiling:
    """What is shown of a compilation while it goes on.

    Attributes:
        shown: Ends with the compilation.
        told: Whether the first one of this process has been reported.
    """

    shown = ExitStack()
    told = False


def keep_compiled() -> None:
    """Have what is compiled kept with the other caches, for the next process, unless the user says where.

    torch's compiler writes its own folder into the environment as soon as anything imports it: that folder is not the user's
    choice.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container: torch names a folder by it
        os.environ["LOGNAME"] = str(os.getuid())
    given = os.environ.get(KEPT_IN)
    if given is None or given == _own_folder():
        os.environ[KEPT_IN] = str(cache_folder() / "compiled")


def why_unsafe() -> str:
    """Why compiled code must not be loaded, and what to do: other users could put theirs where it is kept; "" if they can't."""
    try:
        keep_compiled()
    except UserError as error:
        return str(error)
    kept = Path(os.environ[KEPT_IN])
    variable = KEPT_IN if kept != _with_other_caches() else "DATASTILL_CACHE"
    for folder, instead in ((kept, variable), (Path(_own_folder()), "TMPDIR")):  # torch keeps compiled headers in its own in any case
        try:
            make_folder(folder, 0o700)
            check_folder(folder)
        except UserError as error:
            return f"{error}, or set {instead} to a folder of your own, which compiled code is kept in"
        if why := why_not_ours(folder):
            return f"compiled code would be loaded from {folder}, and {why}: end that, or set {instead} to a folder of your own"
    _remove_parts(kept)
    return ""


def announce() -> None:
    """Have compilations of this process shown: one line for the first one, and whatever bar is open says so each time."""
    handler = torch._dynamo.callback.callback_handler
    if _begins not in handler.start_callbacks:
        handler.register_start_callback(_begins)
        handler.register_end_callback(_ends)


@cache
def _remove_parts(kept: Path) -> None:
    """Remove libraries of which a linker that was killed wrote a part, as torch would fail to load them each time."""
    for library in kept.glob("*/*.so"):
        with contextlib.suppress(OSError):
            about = library.stat()
            if time.time() - about.st_mtime > LEFT_AFTER and about.st_size < _size(library):
                library.unlink()


def _size(library: Path) -> int:
    """Bytes that a library must have: in ELF of 64 bits, up to the end of the table of its sections, which is its last part."""
    with library.open("rb") as file:
        head = file.read(64)
    if head[:5] != b"\x7fELF\x02" or len(head) < 64:
        return 64
    order: Literal["little", "big"] = "little" if head[5] == 1 else "big"
    start, each, count = (int.from_bytes(head[first:end], order) for first, end in ((40, 48), (58, 60), (60, 62)))
    return start + each * count


def _with_other_caches() -> Path | None:
    try:
        return cache_folder() / "compiled"
    except UserError:  # there is no home folder: the user said where
        return None


def _own_folder() -> str:
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    return str(Path(default_cache_dir()).absolute())


def _begins(about: object) -> None:
    if not _Compiling.told:
        _Compiling.told = True
        log.info("compiling for this machine, which may take minutes the first time; it is kept in %s", os.environ.get(KEPT_IN))
    _Compiling.shown.enter_context(held_up("compiling, only once"))


def _ends(about: object) -> None:
    _Compiling.shown.close()
