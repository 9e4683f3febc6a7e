"""What people read: summaries, tables, listings."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Replace characters that a terminal would interpret instead of showing: names may come from someone else's set.

    Example:
        >>> printable("cat\x1b[2J")
        'cat?[2J'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)
