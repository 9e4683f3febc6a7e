"""Sharing a run among processes: who takes part, and who speaks."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from datastill import progress
from datastill.engine import Ranks
from datastill.logs import logger


@contextlib.contextmanager
def sharing(share: bool) -> Iterator[Ranks]:
    """The processes that share what is done in the block. All but the first say nothing there but what ends them.

    Args:
        share: Whether all processes of the initialised group of ``torch.distributed`` do, or this one alone.

    Raises:
        UserError: If they are to, and there is no such group.
    """
    ranks = Ranks.joined() if share else Ranks()
    try:
        with contextlib.nullcontext() if ranks.first else silence():
            yield ranks
        ranks.wait()
    finally:
        ranks.leave()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Neither show progress nor log what is no error."""
    log = logger("datastill")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with progress.hidden():
            yield
    finally:
        log.setLevel(before)
