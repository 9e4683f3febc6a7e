"""Running a cell of any kind, here or in another process: what executors know."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from datastill import stopping
from datastill.data import DataSet, load
from datastill.errors import UserError
from datastill.experiments.application import ApplicationRecord
from datastill.experiments.applications import run_application
from datastill.experiments.cell import AnyCell, ApplicationCell, Cell, ContinualCell, TeacherCell
from datastill.experiments.continual.running import run_continual
from datastill.experiments.reading import read_cell
from datastill.experiments.record import AnyRecordOf, TeacherRecord
from datastill.experiments.tables import run_cell
from datastill.experiments.teachers import run_teacher
from datastill.files import InUseError
from datastill.logs import logger
from datastill.teachers.pool import networks_folder

log = logger(__name__)

_read = lru_cache(maxsize=1)(load)

KEPT = (".safetensors", ".json", ".answers")
"""How files end that are written when something has been computed, not when it begins."""


@dataclass(frozen=True)
class Task:
    """A cell, and where its record and its run are kept.

    Attributes:
        cell: With the policy that its whole table has.
        results: Where the record goes.
        runs: Where the run is kept, and continued from.
    """

    cell: AnyCell
    results: Path
    runs: Path

    @property
    def name(self) -> str:
        """Of the cell."""
        return self.cell.name

    @property
    def run(self) -> str:
        """The folder below the runs that no other task may work in meanwhile."""
        return self.cell.run if isinstance(self.cell, Cell) else self.cell.name

    @property
    def log(self) -> Path:
        """What the cell says while it runs, where it runs in another process."""
        return self.runs / f"{self.cell.name}.log"

    def kept(self) -> set[tuple[Path, int]]:
        """What has been computed so far: checkpoints, sets, evaluations and answers, with their sizes."""
        found = set[tuple[Path, int]]()
        for name in {self.run, self.cell.name}:
            run = self.runs / name
            for path in (*run.glob("**/*"), *run.parent.glob(f"{run.name}.*")):
                if path.suffix in KEPT:
                    with contextlib.suppress(OSError):  # one that was replaced meanwhile
                        found.add((path, path.stat().st_size))
        return found

    def trained(self) -> int:
        """When a network of the cache was last kept, in nanoseconds; it may be another cell's."""
        times = [0]
        for path in networks_folder().glob("**/*.safetensors"):
            with contextlib.suppress(OSError):
                times.append(path.stat().st_mtime_ns)
        return max(times)


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes:
        task: Which one.
        failure: Why it has no record, in a line; "" if it has one.
        in_use: Whether that is because another process is at work on it.
        logged: Where it said what it did; None for its own log.
    """

    task: Task
    failure: str = ""
    in_use: bool = False
    logged: Path | None = None

    @property
    def log(self) -> Path:
        """Where it said what it did."""
        return self.logged or self.task.log


class Executor(Protocol):
    """Runs tasks somewhere. It takes each from the iterable when there is room for it, and gives outcomes in any order.

    A task that fails does not end the others. When the generator is closed, what is under way is stopped and kept.
    """

    def __call__(self, tasks: Iterable[Task]) -> Generator[Outcome]:
        """Run them."""
        ...


class Placed(Executor, Protocol):
    """An executor that knows what a cell has there."""

    @property
    def cores(self) -> int:
        """Cores of a cell."""
        ...

    @property
    def at_once(self) -> int:
        """Cells that run at the same time at least."""
        ...


def run_any(cell: AnyCell, *, results: Path, runs: Path, read: Callable[[str], DataSet] = load) -> None:
    """Run a cell of any kind and write its record."""
    if isinstance(cell, TeacherCell):
        run_teacher(cell, results=results, runs=runs, read=read)
    elif isinstance(cell, ContinualCell):
        run_continual(cell, results=results, runs=runs, read=read)
    elif isinstance(cell, ApplicationCell):
        run_application(cell, results=results, runs=runs, read=read)
    else:
        run_cell(cell, results=results, runs=runs, read=read)


def done(cell: AnyCell, record: AnyRecordOf | ApplicationRecord | None) -> bool:
    """Whether nothing of a cell is missing."""
    if record is None or isinstance(cell, TeacherCell) or isinstance(record, TeacherRecord):
        return record is not None
    return record.cell.repeats >= cell.repeats


def perform(task: Task, read: Callable[[str], DataSet] = _read, *, telling: bool = True) -> Outcome:
    """Run a task to its end, unless another process has done so meanwhile. What goes wrong is told and not raised.

    Args:
        task: Which one.
        read: Loads a data set.
        telling: Whether to tell a `UserError` here; the outcome has it as well.
    """
    log.info("experiment: %s", task.name)
    try:
        if not done(task.cell, read_cell(task.cell, task.results)):
            run_any(task.cell, results=task.results, runs=task.runs, read=read)
    except InUseError as error:
        return Outcome(task, str(error), in_use=True)
    except UserError as error:
        stopping.check_error(error)
        if telling:
            log.error("%s", error)
        return Outcome(task, str(error))
    except Exception as error:
        stopping.check_error(error)
        for line in traceback.format_exc().splitlines():
            log.error("%s", line)
        said = " ".join(str(error).split())
        return Outcome(task, f"{type(error).__name__}: {said}" if said else type(error).__name__)
    return Outcome(task)


def gather(outcomes: Generator[Outcome], recorded: Callable[[], None]) -> list[Outcome]:
    """Wait for all tasks; those that failed.

    Args:
        outcomes: Of an executor, which is closed however this ends.
        recorded: Called after every task that has a record now.
    """
    failed = []
    with contextlib.closing(outcomes):
        for outcome in outcomes:
            if outcome.failure:
                log.error("%s failed: %s (%s)", outcome.task.name, outcome.failure, outcome.log)
                failed.append(outcome)
            else:
                recorded()
    return failed
