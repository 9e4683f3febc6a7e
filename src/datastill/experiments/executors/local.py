"""Cells in several processes of this machine, each on cores of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

from datastill import stopping
from datastill.configuration import whole
from datastill.errors import UserError
from datastill.experiments.executors.pool import log_into
from datastill.experiments.executors.queue import PAUSE, TRIES, Queue
from datastill.experiments.performing import Outcome, Task, perform
from datastill.logs import logger

log = logger(__name__)

PRELOADED = ["torch._dynamo", "datastill.experiments.performing"]
"""What workers need, imported once for all of them."""
ENDING = 30.0
"""Seconds that a worker may take to end once it answers no more; then it is killed."""


@dataclass(frozen=True)
class Local:
    """Runs cells in processes of this machine.

    Every process has an equal part of the cores that this one may use, and stays on it. If one is killed, its cell is continued by
    another process from its last checkpoint. If this process is killed, the others keep what they have and end. The lock of a cell is
    released by the system when its process ends, so no cell is run twice at once, also not by another command in the same folders.

    Args:
        workers: How many. With fewer cores for each, sums round differently in the last bits.
        start: How processes are started, a method of `multiprocessing`.

    Raises:
        UserError: If there is not at least one.
    """

    workers: int = 1
    start: str = "forkserver"

    def __post_init__(self) -> None:
        whole("workers", self.workers, least=1)

    @property
    def cores(self) -> int:
        """Cores of the worker that has the fewest."""
        return min(map(len, shares(self.workers)))

    @property
    def at_once(self) -> int:
        """One cell in every worker; those that share a core take turns."""
        return min(self.workers, len(set().union(*shares(self.workers))))

    def __call__(self, tasks: Iterable[Task]) -> Generator[Outcome]:
        """Run tasks."""
        context = multiprocessing.get_context(self.start)
        if self.start == "forkserver":
            context.set_forkserver_preload(PRELOADED)
        queue, workers = Queue(tasks), [_Worker(context, cores) for cores in shares(self.workers)]
        idle, busy = [*workers], dict[Any, _Worker]()
        try:
            while not queue.over:
                while idle and (task := queue.take()):
                    worker = idle.pop()
                    worker.give(task)
                    busy[worker.answers] = worker
                for answers in wait(list(busy), timeout=PAUSE / 4):
                    worker = busy.pop(answers)
                    outcome = worker.outcome()
                    idle.append(worker)
                    told = queue.ended(outcome) if outcome else queue.lost(worker.task, worker.gone())
                    if told:
                        yield told
        finally:
            for worker in workers:
                worker.stop()
            for worker in workers:
                worker.join()


class _Worker:
    """A process that runs one task after the other; another one takes its place when it is gone.

    Args:
        context: Starts it.
        cores: Of its own.

    Attributes:
        answers: How it says that a task has ended.
        task: The last one that it was given.
    """

    answers: Connection
    task: Task

    def __init__(self, context: Any, cores: frozenset[int]) -> None:
        self._context, self._cores = context, cores
        self._process: Any = None

    def give(self, task: Task) -> None:
        """Begin a task.

        Raises:
            UserError: If no process can be started.
        """
        self.task = task
        if self._process is None:
            self._start()
        with contextlib.suppress(OSError):  # if it is gone, that is found when its answer is waited for
            self.answers.send(task)

    def outcome(self) -> Outcome | None:
        """How its task ended; None if it is gone without saying so."""
        try:
            found: Outcome = self.answers.recv()
        except (EOFError, OSError):
            return None
        return found

    def gone(self) -> str:
        """Take note of its end, after which there is no process; how it ended, in words."""
        self._process.join(ENDING)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        code = self._process.exitcode or 0
        self.answers.close()
        self._process = None
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def stop(self) -> None:
        """Ask it to keep what it has and end. It also ends where it waits for a task, as where a signal came just before."""
        if self._process is None:
            return
        self.answers.close()
        if self._process.pid is not None and self._process.is_alive():
            self._process.terminate()

    def join(self) -> None:
        """Wait for its end."""
        if self._process is not None and self._process.pid is not None:
            self._process.join()

    def _start(self) -> None:
        """Start a process; what starts it may itself be killed meanwhile, and is then there again the next time."""
        for _ in range(TRIES):
            # A pipe for each try: the process of one that failed may be there all the same, and would take what the next one is told.
            self.answers, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_work, args=(theirs, self._cores), name="datastill worker")
            try:
                self._process.start()
            except (EOFError, ConnectionError):
                self.answers.close()
                self._process = None
                log.warning("a process was killed while it started; it is tried again")
                time.sleep(PAUSE)  # until the system has taken note of its end
            else:
                return
            finally:
                theirs.close()
        raise UserError(f"no process can be started: {TRIES} of them were killed; the same command continues, with fewer `workers`")


def shares(workers: int) -> list[frozenset[int]]:
    """The cores of every worker; with more workers than cores, some share one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    if workers >= len(cores):
        return [frozenset({cores[number % len(cores)]}) for number in range(workers)]
    bounds = [number * len(cores) // workers for number in range(workers + 1)]
    return [frozenset(cores[bounds[number] : bounds[number + 1]]) for number in range(workers)]


def _work(answers: Connection, cores: frozenset[int]) -> None:
    """Be a worker: take tasks until there are no more."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started it, which stops this one
    try:
        stopping.handle(_end, _end_later)
        threading.Thread(target=_follow, daemon=True).start()
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores)
        torch.set_num_threads(len(cores))
        while (task := _next(answers)) is not None:
            log_into(task)
            outcome = perform(task)
            with contextlib.suppress(ConnectionError):  # nobody waits for it any more, which is found when the next one is waited for
                answers.send(outcome)
    except stopping.Stopped as stopped:
        os._exit(128 + stopped.number)


def _next(answers: Connection) -> Task | None:
    """The task that a worker is given; None if there are no more."""
    try:
        task: Task = answers.recv()
    except (EOFError, ConnectionError):
        return None
    return task


def _follow() -> None:
    """End when the process that started this one has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _end(number: int) -> NoReturn:
    os._exit(128 + number)


def _end_later(number: int) -> None:
    log.info("stopping: what is under way is kept first")
