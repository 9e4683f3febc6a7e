"""What the command says when there is no memory left."""

from __future__ import annotations

import sys
from collections.abc import Sequence

LOWER = {
    "distill": "lower --ipc, or --set real_batch, views or factor",
    "evaluate": "lower --set batch, or choose a smaller --network",
    "pretrain": "choose a smaller --network, or a data set with smaller images (@SIZE)",
}
"""What makes a command need less memory."""
LOADERS = ("failed to map segment", "annot allocate memory")
"""What the system says when there is no memory for the code of a package."""
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
