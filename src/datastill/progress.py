"""Progress of a long job: a bar with rate and time left on a terminal, a line now and then in a log."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts steps of a job on standard error.

    Args:
        title: What is being done.
        total: Number of steps.
        done: Steps done before, by an earlier process.
        unit: What a step is called.
    """

    def __init__(self, title: str, total: int, *, done: int = 0, unit: str = "it") -> None:
        self.title, self.total, self.unit = title, total, unit
        self.done, self.first = done, done
        self.began = self.shown = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.unfinished = False

    def advance(self, note: str = "") -> None:
        """Count one step and show it if it is time to.

        Args:
            note: The latest figures, shown at the end of the line.
        """
        self.done += 1
        now = time.monotonic()
        if self.done == self.total or now - self.shown >= (0.1 if self.terminal else SECONDS_BETWEEN_LINES):
            self.shown = now
            self._show(now, note)

    def skip(self, steps: int) -> None:
        """Count steps that were done before, by an earlier process."""
        self.done, self.first = self.done + steps, self.first + steps

    def close(self) -> None:
        """End the line of a bar that did not reach its end."""
        if self.unfinished:
            print(file=sys.stderr, flush=True)
            self.unfinished = False

    def _show(self, now: float, note: str) -> None:
        rate = (self.done - self.first) / max(now - self.began, 1e-9)
        left = clock(max(0, self.total - self.done) / rate) if rate else "?"
        speed = f"{rate:.1f} {self.unit}/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.2f} s/{self.unit}"
        line = f"{self.title} {self.done}/{self.total} {speed}, {left} left {note}".rstrip()
        if not self.terminal:
            print(line, file=sys.stderr, flush=True)
            return
        filled = round(20 * min(1, self.done / max(1, self.total)))
        # A line that wraps could not be overwritten by the next one.
        bar = f"[{'#' * filled}{'.' * (20 - filled)}] {line}"[: shutil.get_terminal_size().columns - 1]
        self.unfinished = self.done != self.total
        print(f"\r\x1b[K{bar}", end="" if self.unfinished else "\n", file=sys.stderr, flush=True)


@contextmanager
def progress(title: str, total: int, *, done: int = 0, unit: str = "it") -> Iterator[Progress]:
    """Show the progress of the steps inside the block (see `Progress`)."""
    bar = Progress(title, total, done=done, unit=unit)
    try:
        yield bar
    finally:
        bar.close()


def clock(seconds: float) -> str:
    """Write a duration as people read it.

    Example:
        >>> clock(5.4), clock(65), clock(3725)
        ('5s', '1m05s', '1h02m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
