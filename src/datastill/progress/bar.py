"""The bar on a terminal, the lines in a log."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task
from rich.progress import Progress as Display
from rich.table import Column
from rich.text import Text

from datastill.progress.pace import Pace, clock, speed
from datastill.text import escaped

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_FRAMES = 0.1
SECONDS_BETWEEN_TICKS = 0.5
"""How often a bar is shown again while something holds its job up."""
BAR = 20
NARROW = 70
"""Columns below which a terminal gets no bar, so that there is room for the time left."""

console = Console(stderr=True)
"""Where progress is shown; one for all bars, since a bar may be shown inside another one."""


class _HoldUp:
    """What holds all jobs up.

    Attributes:
        reason: In a few words; "" if nothing does.
        began: When it began to.
        before: Seconds that were lost in this way before.
    """

    reason = ""
    began = 0.0
    before = 0.0

    @classmethod
    def lost(cls) -> float:
        """Seconds that were lost until now."""
        return cls.before + (time.monotonic() - cls.began if cls.reason else 0.0)


class _Hidden:
    """Whether nothing is shown: another process shows the same jobs.

    Attributes:
        blocks: Blocks of `hidden` around what is done now.
    """

    blocks = 0


_open: list[Progress] = []
"""The bars that are shown, the innermost last."""


class Progress:
    """Counts steps of a job on standard error.

    Args:
        title: What is being done.
        total: Number of steps.
        done: Steps done before, by an earlier process.
        unit: What a step is called.
        work: How long each step, from 0, takes compared with the others; None if all take the same time.
    """

    def __init__(self, title: str, total: int, *, done: int = 0, unit: str = "it", work: Callable[[int], float] | None = None) -> None:
        self.title, self.total, self.done, self.unit, self.work = title, total, done, unit, work or (lambda step: 1.0)
        self.left, self.note, self.aside = sum(map(self.work, range(done, total))), "", 0.0
        self.pace, self.began, self.shown, self.lost = Pace(self._now()), self._now(), time.monotonic(), _HoldUp.lost()
        self.hidden = _Hidden.blocks > 0
        self.terminal = console.is_interactive and not self.hidden
        bar = [BarColumn(bar_width=BAR)] if console.width >= NARROW else []
        columns = (*bar, _Line(self, console.width - (BAR + 2 if bar else 1)))
        self.display = Display(*columns, console=console, auto_refresh=False, disable=not self.terminal)
        self.id = self.display.add_task(title, total=total, completed=done)
        with _whatever_becomes_of_it():
            self.display.start()
        _open.append(self)

    def advance(self, note: str = "") -> None:
        """Count one step and show it if it is time to.

        Args:
            note: The latest figures, shown at the end of the line.
        """
        work, self.note = self.work(self.done), note
        self.pace.add(self._now(), work)
        self.done, self.left = self.done + 1, max(0.0, self.left - work)
        interval = SECONDS_BETWEEN_FRAMES if self.terminal else SECONDS_BETWEEN_LINES
        held_up, self.lost = self.lost != _HoldUp.lost(), _HoldUp.lost()
        if self.done == self.total or held_up or time.monotonic() - self.shown >= interval:
            self.show()

    def show(self) -> None:
        """Show how far the job is."""
        self.shown = time.monotonic()
        if self.hidden:
            return
        with _whatever_becomes_of_it():
            self.display.update(self.id, completed=self.done, refresh=True)
            if not self.terminal and sys.stderr is not None:
                print(self.line(), file=sys.stderr, flush=True)

    def tick(self) -> None:
        """Show it while something holds it up."""
        if self.terminal or time.monotonic() - self.shown >= SECONDS_BETWEEN_LINES:
            self.show()

    def skip(self, steps: int) -> None:
        """Count steps that were done before, by an earlier process."""
        self.left = max(0.0, self.left - sum(map(self.work, range(self.done, self.done + steps))))
        self.done, self.pace = self.done + steps, Pace(self._now())

    def close(self) -> None:
        """End the line of the bar."""
        with _whatever_becomes_of_it():
            self.display.stop()
        if self in _open:
            _open.remove(self)
            for outer in _open:
                outer.aside += self._now() - self.began

    def line(self, width: int | None = None) -> str:
        """The state of the job; if the line is too narrow, the note is cut first, then the title; the time left stays.

        Args:
            width: Columns; None for as many as it takes.
        """
        step, rest = self.pace.seconds(self.work(max(0, self.done - 1))), self.pace.seconds(self.left)
        if _HoldUp.reason:
            rate = f"{_HoldUp.reason}, {clock(_HoldUp.lost() - self.lost)} so far"
        else:
            rate = "?" if step is None else speed(step, self.unit)
        state = f"{self.done}/{self.total} {rate}, {'?' if rest is None else clock(rest)} left"
        if width is None:
            return f"{escaped(self.title)} {state} {escaped(self.note)}".rstrip()
        title = escaped(self.title)[: max(0, width - len(state) - 1)]
        return f"{title} {state} {escaped(self.note)}".strip()[:width].rstrip()

    def _now(self) -> float:
        """The time, as if nothing had held the job up, and without the jobs inside it."""
        return time.monotonic() - _HoldUp.lost() - self.aside


def _whatever_becomes_of_it() -> contextlib.suppress:
    """A terminal that is closed or a log on a full disk ends no job."""
    return contextlib.suppress(OSError, ValueError)


class _Line(ProgressColumn):
    """What is done, how fast, and the time left, in one line."""

    def __init__(self, bar: Progress, width: int) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self.bar, self.width = bar, width

    def render(self, task: Task) -> Text:
        return Text(self.bar.line(self.width))


@contextmanager
def progress(title: str, total: int, *, done: int = 0, unit: str = "it", work: Callable[[int], float] | None = None) -> Iterator[Progress]:
    """Show the progress of the steps inside the block (see `Progress`)."""
    bar = Progress(title, total, done=done, unit=unit, work=work)
    try:
        yield bar
    finally:
        bar.close()


@contextmanager
def hidden() -> Iterator[None]:
    """Show nothing of the jobs that begin inside the block."""
    _Hidden.blocks += 1
    try:
        yield
    finally:
        _Hidden.blocks -= 1


@contextmanager
def held_up(reason: str) -> Iterator[None]:
    """Say what holds the jobs up inside the block: the bar shows it, and the time counts neither for the rate nor for the time left.

    Args:
        reason: In a few words.
    """
    if _HoldUp.reason:
        yield
        return
    _HoldUp.reason, _HoldUp.began = reason, time.monotonic()
    over = threading.Event()
    ticking = threading.Thread(target=_tick, args=(over,), daemon=True)
    ticking.start()
    try:
        yield
    finally:
        over.set()
        ticking.join()
        _HoldUp.before, _HoldUp.reason = _HoldUp.lost(), ""


def _tick(over: threading.Event) -> None:
    while not over.wait(SECONDS_BETWEEN_TICKS):
        for bar in _open[-1:]:
            bar.tick()


def held_up_seconds() -> float:
    """How long jobs of this process have been held up so far."""
    return _HoldUp.lost()
