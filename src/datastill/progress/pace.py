"""How fast a job goes on, and how long the rest of it takes."""

from __future__ import annotations

from collections import deque

SECONDS_OF_THE_RATE = 100.0
"""The rate is that of the last steps, of this much time."""
FEWEST_OF_THE_RATE = 5
"""The rate is that of at least this many steps, however long they take."""
PAUSE = 20.0
"""A step this many times as long as the ones before it was interrupted: the process was stopped, or the machine slept."""


class Pace:
    """A moving average over the last steps. The first step warms up: it counts only until there is another one.

    A step with a pause in it (see `PAUSE`) counts as one of those before. If the next one takes as long, it was no pause, and both count.

    Args:
        now: The time at which the first step begins, in seconds.
    """

    def __init__(self, now: float) -> None:
        self.steps, self.marks, self.paused = 0, deque([(now, 0.0)]), 0.0

    def add(self, now: float, work: float = 1.0) -> None:
        """Count a step that has just ended.

        Args:
            now: The time.
            work: How long it takes compared with the others.
        """
        self.steps += 1
        expected = self.seconds(work) if self.steps > 2 else None
        self._leave_out(now - self.marks[-1][0], expected)
        self.marks.append((now, self.marks[-1][1] + work))
        if self.steps == 2:
            self.marks.popleft()
        while len(self.marks) > FEWEST_OF_THE_RATE + 1 and now - self.marks[1][0] >= SECONDS_OF_THE_RATE:
            self.marks.popleft()

    def seconds(self, work: float) -> float | None:
        """How long some work takes at this rate; None before the first step.

        Example:
            >>> pace = Pace(0.0)
            >>> for now in (9.0, 10.0, 11.0):
            ...     pace.add(now)
            >>> pace.seconds(20)
            20.0
        """
        (began, before), (now, after) = self.marks[0], self.marks[-1]
        return (now - began) * work / (after - before) if after > before else None

    def _leave_out(self, taken: float, expected: float | None) -> None:
        """Move the earlier marks by the length of a pause, or back if it was none."""
        if expected is None or taken <= PAUSE * expected:
            self.paused = 0.0
        elif not self.paused:
            self.paused = taken - expected
            self._move(self.paused, len(self.marks))
        else:
            self._move(-self.paused, len(self.marks) - 1)
            self.paused = 0.0

    def _move(self, seconds: float, count: int) -> None:
        """Move the first marks in time."""
        self.marks = deque((moment + seconds * (number < count), done) for number, (moment, done) in enumerate(self.marks))


def speed(seconds: float, unit: str) -> str:
    """Write how long a step takes, or how many there are in a second.

    Example:
        >>> speed(0.5, "it"), speed(2, "it")
        ('2.0 it/s', '2.00 s/it')
    """
    return f"{1 / max(seconds, 1e-9):.1f} {unit}/s" if seconds <= 1 else f"{seconds:.2f} s/{unit}"


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
