"""Tasks on machines that somebody else manages: what the executors for clusters share."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from datastill.experiments.executors.place import Place
from datastill.experiments.executors.queue import PAUSE, Queue
from datastill.experiments.performing import Outcome, Task
from datastill.files import make_folder, open_to_append
from datastill.logs import logger

Job = TypeVar("Job")


class LostError(Exception):
    """A job ended without a word, as where its machine is gone; the message says how."""


@dataclass(frozen=True)
class OnCluster:
    """What executors for clusters know of a cell.

    Args:
        place: How many cells at a time, and the cores of each, by default 1.
    """

    place: Place = field(default_factory=Place)

    @property
    def cores(self) -> int:
        """Cores of a cell."""
        return self.place.cpus or 1

    @property
    def at_once(self) -> int:
        """As many cells as were asked for; where nothing was said, what there is room for is known to the cluster alone."""
        return self.place.workers or 1


class Pool(Protocol[Job]):
    """What runs jobs. A job is anything that can be hashed."""

    def submit(self, task: Task) -> Job:
        """Have a task run as soon as there is room for it."""
        ...

    def finished(self, jobs: Sequence[Job]) -> list[Job]:
        """Those that have ended; waits for a moment, also where there are none."""
        ...

    def outcome(self, job: Job) -> Outcome:
        """How one of them ended.

        Raises:
            LostError: If it did so without a word.
        """
        ...

    def stop(self, jobs: Sequence[Job]) -> None:
        """End those that run, and leave out those that wait."""
        ...


def spread(tasks: Iterable[Task], pool: Pool[Job], most: int | None = None, pause: float = PAUSE) -> Generator[Outcome]:
    """Run tasks in a pool (see `datastill.experiments.performing.Executor`).

    Args:
        tasks: Taken one by one, when there is room.
        pool: It runs them.
        most: How many are given to the pool at a time; None for all.
        pause: Seconds after which a task is tried again that another process is working on.
    """
    queue, busy = Queue(tasks, pause), dict[Job, Task]()
    try:
        while not queue.over:
            while (most is None or len(busy) < most) and (task := queue.take()):
                busy[pool.submit(task)] = task
            for job in pool.finished([*busy]):
                task = busy.pop(job)
                try:
                    told = queue.ended(pool.outcome(job))
                except LostError as lost:
                    told = queue.lost(task, str(lost))
                if told:
                    yield told
    finally:
        pool.stop([*busy])


def log_into(task: Task) -> None:
    """Write what this process says from now on into the log of a task, also what code that is not Python's says."""
    make_folder(task.log.parent)
    opened = open_to_append(task.log)
    if isinstance(opened, io.TextIOWrapper):
        opened.reconfigure(line_buffering=True, errors="backslashreplace")
    for number in (1, 2):
        os.dup2(opened.fileno(), number)
    sys.stdout = sys.stderr = opened
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr, force=True)
    logger("datastill").setLevel(logging.INFO)
