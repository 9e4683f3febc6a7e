"""Progress of a long job: a bar with rate and time left on a terminal, an occasional line in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task
from rich.progress import Progress as Display
from rich.table import Column
from rich.text import Text

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_FRAMES = 0.1
SECONDS_OF_THE_RATE = 300.0
"""The rate is that of the last minutes, from the end of their first step on: compiling at the start does not count for long."""
BAR = 20
NARROW = 70
"""Columns below which a terminal gets no bar, so that there is room for the time left."""

console = Console(stderr=True)
"""Where progress is shown; one for all bars, since a bar may be shown inside another one."""


class Progress:
    """Counts steps of a job on standard error.

    Args:
        title: What is being done.
        total: Number of steps.
        done: Steps done before, by an earlier process.
        unit: What a step is called.
    """

    def __init__(self, title: str, total: int, *, done: int = 0, unit: str = "it") -> None:
        self.terminal = console.is_interactive
        bar = [BarColumn(bar_width=BAR)] if console.width >= NARROW else []
        self.display = Display(
            *bar,
            _Line(console.width - (BAR + 2 if bar else 1)),
            console=console,
            auto_refresh=False,
            speed_estimate_period=SECONDS_OF_THE_RATE,
            get_time=lambda: time.monotonic(),
            disable=not self.terminal,
        )
        self.id = self.display.add_task(title, total=total, completed=done, first=done, unit=unit, note="")
        self.task = self.display.tasks[0]
        self.shown = time.monotonic()
        self.display.start()

    def advance(self, note: str = "") -> None:
        """Count one step and show it if it is time to.

        Args:
            note: The latest figures, shown at the end of the line.
        """
        self.display.advance(self.id)
        now = time.monotonic()
        interval = SECONDS_BETWEEN_FRAMES if self.terminal else SECONDS_BETWEEN_LINES
        if self.task.completed == self.task.total or now - self.shown >= interval:
            self.shown = now
            self.display.update(self.id, note=note, refresh=True)
            if not self.terminal:
                print(line(self.task), file=sys.stderr, flush=True)

    def skip(self, steps: int) -> None:
        """Count steps that were done before, by an earlier process."""
        done = int(self.task.completed) + steps
        self.display.reset(self.id, completed=done, **{**self.task.fields, "first": done})

    def close(self) -> None:
        """End the line of the bar."""
        self.display.stop()


class _Line(ProgressColumn):
    """What is done, how fast, and the time left, in one line."""

    def __init__(self, width: int) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self.width = width

    def render(self, task: Task) -> Text:
        return Text(line(task, self.width))


def line(task: Task, width: int | None = None) -> str:
    """Write the state of a job; if the line is too narrow, the note is cut first, then the title; the time left stays.

    Args:
        task: With the fields first (steps of earlier processes), unit and note.
        width: Columns; None for as many as it takes.
    """
    total = int(task.total or 0)
    rate = task.speed or (task.completed - task.fields["first"]) / max(task.elapsed or 0, 1e-9)
    left = clock(max(0, total - task.completed) / rate) if rate else "?"
    unit = task.fields["unit"]
    speed = f"{rate:.1f} {unit}/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.2f} s/{unit}"
    state = f"{int(task.completed)}/{total} {speed if rate else '?'}, {left} left"
    if width is None:
        return f"{task.description} {state} {task.fields['note']}".rstrip()
    title = task.description[: max(0, width - len(state) - 1)]
    return f"{title} {state} {task.fields['note']}".strip()[:width].rstrip()


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
