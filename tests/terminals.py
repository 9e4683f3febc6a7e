"""A terminal that remembers what it was shown, and a clock that goes when it is told to."""

from __future__ import annotations

import io
import re

from datastill.progress import bar as module


class Screen(io.StringIO):
    """A terminal that remembers what was written."""

    def isatty(self) -> bool:
        return True

    def resize(self, columns: int) -> None:
        """Be as wide as that."""
        module.console._width = columns

    def frames(self) -> list[str]:
        """The lines that were shown, each over the one before, without what moves the cursor or colours."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())
        return [part.strip() for part in re.split(r"[\r\n]+", plain) if part.strip()]


class Clock:
    """Time that goes on by what it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now
