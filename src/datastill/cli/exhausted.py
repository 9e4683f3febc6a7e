"""What the command says when there is no memory left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from datastill.errors import UserError
from datastill.provenance import address_space

LOWER = {
    "distill": "lower --ipc, or --set real_batch, views or factor",
    "evaluate": "lower --set batch, or choose a smaller --network",
    "pretrain": "choose a smaller --network, or a data set with smaller images (@SIZE)",
}
"""What makes a command need less memory."""
LOADERS = ("failed to map segment", "annot allocate memory")
"""What the system says when there is no memory for the code of a package."""
LOADED = "numpy, scipy.linalg, torch"
"""Packages whose own code takes memory when it is loaded, and may end the process where there is none."""
NOTHING_LOADED = ("--help", "-h", "--version", "--install-completion")
END_OTHERS = "end other programs, or use a machine with more"


def exhausted(error: BaseException) -> bool:
    """Whether an error says that there is no memory left."""
    if isinstance(error, ImportError) and any(said in str(error) for said in LOADERS):
        return True
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from datastill.engine import memory

    return memory.exhausted(error)


def line(arguments: Sequence[str]) -> str:
    """What happened to a command, and what to do.

    Example:
        >>> line(["export", "a", "b"])
        'the memory is exhausted: end other programs, or use a machine with more'
    """
    return f"the memory is exhausted: {LOWER.get(next(iter(arguments), ''), END_OTHERS)}"


def check_limit(arguments: Sequence[str]) -> None:
    """Refuse a limit on this process's memory, as of ``ulimit -v``, within which the packages cannot be loaded.

    Another process tries it, and only where there is a limit: the one that loads them may be ended by their code without a chance to speak.

    Raises:
        UserError: If they cannot.
    """
    bound = address_space()
    if not bound or not arguments or any(word in NOTHING_LOADED for word in arguments):
        return
    loading, nothing = [sys.executable, "-P", "-c", f"import {LOADED}"], subprocess.DEVNULL
    if subprocess.run(loading, stdin=nothing, stdout=nothing, stderr=nothing).returncode:
        raise UserError(f"PyTorch cannot be loaded within {bound / 1e9:.3g} GB of memory, the limit of this process: raise ulimit -v")
