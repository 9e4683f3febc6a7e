"""The one exception for a user's mistake, and the suggestion for a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """What was given, what was expected and what to do, in one line. The command line prints it and exits with 2."""

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())  # the name of a file may have more than one line


def unknown(kind: str, given: str, known: Iterable[str], *, hint: str = "") -> UserError:
    """Build the error for a name that is not in a table, with the nearest name as a suggestion.

    Args:
        kind: What the name should have been, for example "network".
        given: The name that came.
        known: The names that exist.
        hint: A sentence to end with.
    """
    names = list(known)
    close = difflib.get_close_matches(given.lower(), names, n=1, cutoff=0.5)
    suggestion = f" Did you mean '{close[0]}'?" if close else ""
    ending = f" {hint}" if hint else ""
    return UserError(f"unknown {kind} '{given}'.{suggestion} Known: {', '.join(names)}.{ending}")
