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

    def __call__(self, tasks: Iterable[Task]) -> Generator[Outcome]:
        """Run tasks."""
        context = multiprocessing.get_context(self.start)
        if self.start == "forkserver":
            context.set_forkserver_preload(PRELOADED)
        queue, parts = Queue(tasks), shares(self.workers)
        idle: list[frozenset[int] | _Worker] = [*parts]
        busy: dict[Any, _Worker] = {}
        try:
            while not queue.over:
                while idle and (task := queue.take()):
                    worker = idle.pop()
                    worker = worker if isinstance(worker, _Worker) else _Worker(context, worker)
                    busy[worker.answers] = worker
                    worker.give(task)
                for answers in wait(list(busy), timeout=PAUSE / 4):
                    worker = busy.pop(answers)
                    outcome = worker.outcome()
                    idle.append(worker if outcome else worker.cores)
                    told = queue.ended(outcome) if outcome else queue.lost(worker.task, worker.ending())
                    if told:
                        yield told
        finally:
            workers = [*busy.values(), *(each for each in idle if isinstance(each, _Worker))]
            for worker in workers:
                worker.stop()
            for worker in workers:
                worker.ending()


class _Worker:
    """A process that runs one task after the other.

    Attributes:
        cores: Of its own.
        answers: How it says that a task has ended.
        task: The last one that it was given.
    """

    task: Task

    def __init__(self, context: Any, cores: frozenset[int]) -> None:
        self.cores = cores
        self.answers, theirs = context.Pipe()
        self._process = _started(context, theirs, cores)
        theirs.close()

    def give(self, task: Task) -> None:
        """Begin a task."""
        self.task = task
        with contextlib.suppress(OSError):  # if it is gone, that is found when its answer is waited for
            self.answers.send(task)

    def outcome(self) -> Outcome | None:
        """How its task ended; None if it is gone without saying so."""
        try:
            found: Outcome = self.answers.recv()
        except (EOFError, OSError):
            return None
        return found

    def ending(self) -> str:
        """Wait for its end; how it ended, in words."""
        self._process.join()
        code = self._process.exitcode or 0
        self.answers.close()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def stop(self) -> None:
        """Ask it to keep what it has and end."""
        self._process.terminate()


def shares(workers: int) -> list[frozenset[int]]:
    """The cores of every worker; with more workers than cores, some share one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    if workers >= len(cores):
        return [frozenset({cores[number % len(cores)]}) for number in range(workers)]
    bounds = [number * len(cores) // workers for number in range(workers + 1)]
    return [frozenset(cores[bounds[number] : bounds[number + 1]]) for number in range(workers)]


def _started(context: Any, answers: Connection, cores: frozenset[int]) -> Any:
    """Start a worker; what starts it may itself be killed meanwhile, and is then there again the next time.

    Raises:
        UserError: If that happens again and again.
    """
    for _ in range(TRIES):
        process = context.Process(target=_work, args=(answers, cores), name="datastill worker")
        try:
            process.start()
        except (EOFError, ConnectionError):
            log.warning("a process was killed while it started; it is tried again")
            time.sleep(PAUSE)  # until the system has taken note of its end
        else:
            return process
    raise UserError(f"no process can be started: {TRIES} of them were killed; the same command continues, with fewer `workers`")


def _work(answers: Connection, cores: frozenset[int]) -> None:
    """Be a worker: take tasks until there are no more."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started it, which stops this one
    stopping.handle(_end, _end_later)
    threading.Thread(target=_follow, daemon=True).start()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    try:
        while True:
            try:
                task: Task = answers.recv()
            except EOFError:
                return
            log_into(task)
            answers.send(perform(task))
    except stopping.Stopped as stopped:
        os._exit(128 + stopped.number)
    except BrokenPipeError:
        return


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
