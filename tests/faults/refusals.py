"""The command in this process, which may refuse what it is given, in one line and no other way."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from datastill.cli.program import run
from datastill.errors import UserError
from faults.known import cache_at


def command(words: Sequence[str], cache: Path) -> None:
    """Run it.

    Args:
        words: After ``datastill``.
        cache: The folder of its cache.

    Raises:
        UserError: If it refuses, with its line.
        AssertionError: If it ends in another way than by returning or refusing.
    """
    try:
        with cache_at(cache):
            run(list(words))
    except SystemExit as left:
        said = sys.stderr.getvalue() if hasattr(sys.stderr, "getvalue") else ""
        refused = [line for line in said.splitlines() if line.startswith("datastill: ")]
        if left.code != 2 or len(refused) != 1 or "Traceback" in said:
            raise AssertionError(f"exit code {left.code} of {words}: {said[-300:]}") from left
        raise UserError(refused[0]) from left
