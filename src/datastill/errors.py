"""The one exception for a user's mistake, and the suggestion for a misspelt name."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable, Sequence

LIKE = 0.5
"""How like a name must be to be suggested, from 0 to 1."""


class UserError(ValueError):
    """What was given, what was expected and what to do, in one line. The command line prints it and exits with 2."""

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())  # the name of a file may have more than one line


class LostRankError(UserError):
    """Another process that shares a run has ended, or does not answer."""


def require(package: str, what: str, extra: str) -> None:
    """Refuse what needs a package that is not installed, before anything is computed.

    Args:
        package: Its module, which is not imported.
        what: What needs it, for the message.
        extra: The extra of datastill that installs it.

    Raises:
        UserError: If it cannot be imported.
    """
    try:
        there = importlib.util.find_spec(package) is not None
    except ValueError:  # something has put nothing in its place
        there = False
    if not there:
        raise UserError(f"{what} needs the package {package}: pip install 'datastill[{extra}]'")


def unknown(kind: str, given: str, known: Iterable[str], *, hint: str = "") -> UserError:
    """Build the error for a name that is not in a table, with the nearest name as a suggestion.

    Args:
        kind: What the name should have been, for example "network".
        given: The name that came.
        known: The names that exist.
        hint: A sentence to end with.
    """
    names = list(known)
    close = nearest(given.lower(), names)
    suggestion = f" Did you mean '{close}'?" if close else ""
    ending = f" {hint}" if hint else ""
    return UserError(f"unknown {kind} '{given}'.{suggestion} Known: {', '.join(names)}.{ending}")


def nearest(given: str, names: Sequence[str]) -> str | None:
    """The name that is most like another: one with a single other letter, then by likeness, first letter and order.

    Example:
        >>> nearest("dn", ["ld", "dance", "dm", "dc"]), nearest("resnet", ["convnet", "resnet18"]), nearest("dn", ["herding"])
        ('dm', 'resnet18', None)
    """
    likeness = {name: difflib.SequenceMatcher(a=name, b=given).ratio() for name in names}

    def near(name: str) -> tuple[bool, float, bool]:
        letter = len(name) == len(given) and sum(one != other for one, other in zip(name, given, strict=True)) == 1
        return letter and likeness[name] >= LIKE, likeness[name], name[:1] == given[:1]

    best = max(names, key=near, default=None)
    return best if best is not None and likeness[best] >= LIKE else None
