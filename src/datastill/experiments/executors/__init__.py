"""Where cells run: processes of this machine, or jobs of a cluster. Executors know cells only."""

from __future__ import annotations

from collections.abc import Callable

from datastill.errors import unknown
from datastill.experiments.executors.local import Local
from datastill.experiments.performing import Executor

EXECUTORS: dict[str, Callable[[int], Executor]] = {"local": Local}
"""From the number of cells at a time to an executor, by name."""


def named_executor(name: str, workers: int) -> Executor:
    """An executor by its name.

    Args:
        name: One of `EXECUTORS`.
        workers: How many cells run at a time.

    Raises:
        UserError: If there is none of that name, or not at least one worker.
    """
    if name not in EXECUTORS:
        raise unknown("executor", name, EXECUTORS)
    return EXECUTORS[name](workers)


__all__ = ["EXECUTORS", "Local", "named_executor"]
