"""Which task is next."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from datastill.experiments.performing import Outcome, Task
from datastill.logs import logger

log = logger(__name__)

TRIES = 3
"""How often a task is tried whose process ends without a word and without getting further, as where memory runs out."""
MOST_TRIES = 10
"""The same where networks were trained meanwhile, which may be those of another cell."""
PAUSE = 2.0
"""Seconds after which a task is tried again that another process is working on."""


class Queue:
    """Tasks that wait. Two of them that share a run are never under way at once, and what another process works on is tried again later.

    Args:
        tasks: Taken one by one, when there is room.
        pause: Seconds until that.
    """

    def __init__(self, tasks: Iterable[Task], pause: float = PAUSE) -> None:
        self._pause = pause
        self._tasks: Iterator[Task] = iter(tasks)
        self._held, self._later = list[Task](), list[tuple[float, Task]]()
        self._running, self._tries, self._told = set[str](), Counter[str](), set[str]()
        self._kept, self._trained = dict[str, set[tuple[Path, int]]](), dict[str, int]()
        self._ended = False

    def take(self) -> Task | None:
        """A task that can be run now; None if there is none at the moment."""
        now = time.monotonic()
        self._held += [task for due, task in self._later if due <= now]
        self._later = [(due, task) for due, task in self._later if due > now]
        for task in self._held:
            if task.run not in self._running:
                self._held.remove(task)
                return self._begin(task)
        for task in self._tasks:
            if task.run not in self._running:
                return self._begin(task)
            self._held.append(task)
        self._ended = True
        return None

    @property
    def over(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return self._ended and not self._held and not self._later and not self._running

    def ended(self, outcome: Outcome) -> Outcome | None:
        """Take note of how a task ended; the outcome, or None if it will be tried again."""
        task = outcome.task
        self._running.discard(task.run)
        if not outcome.in_use:
            return outcome
        if task.name not in self._told:
            log.info("waiting: %s", outcome.failure)
            self._told.add(task.name)
        self._later.append((time.monotonic() + self._pause, task))
        return None

    def lost(self, task: Task, how: str) -> Outcome | None:
        """Take note of a task whose process is gone (see `ended`). Only those losses count before which it kept nothing new.

        Args:
            task: Which one.
            how: The process ended, in words.
        """
        self._running.discard(task.run)
        before, now, trained = self._kept[task.name], task.kept(), task.trained()
        tries = self._tries[task.name] = self._tries[task.name] + 1 if now <= before else 0
        most = MOST_TRIES if trained > self._trained[task.name] else TRIES
        before |= now
        if tries >= most:
            return Outcome(task, f"its process {how}, {tries} times without getting further")
        log.warning("%s: its process %s; it is tried again", task.name, how)
        self._held.append(task)
        return None

    def _begin(self, task: Task) -> Task:
        self._running.add(task.run)
        self._kept.setdefault(task.name, set()).update(task.kept())
        self._trained[task.name] = task.trained()
        return task
