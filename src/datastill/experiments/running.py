"""From a specification to its records: cell after cell, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from datastill.configuration import whole
from datastill.data import DataSet, load
from datastill.engine.policy import Policy
from datastill.errors import UserError, unknown
from datastill.experiments.applications import check as check_application
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.cell import AnyCell, ApplicationCell, Cell, ContinualCell, TeacherCell
from datastill.experiments.choosing import chosen
from datastill.experiments.continual.running import check
from datastill.experiments.performing import Executor, Outcome, Task, done, gather, perform
from datastill.experiments.policy import settled
from datastill.experiments.reading import read_cell
from datastill.experiments.specification import Specifications
from datastill.experiments.tables import compose
from datastill.files import check_folder, locked, remove_leftovers
from datastill.logs import logger

log = logger(__name__)

FEW = 3
"""Cells that a line names; a whole table has hundreds."""


def run_experiment(
    name: str,
    *,
    results: Path,
    runs: Path,
    only: Sequence[str] = (),
    repeats: int | None = None,
    recorded: Callable[[str, Path, Specifications], None] | None = None,
    experiments: Specifications = EXPERIMENTS,
    order: Order | None = None,
    executor: Executor | None = None,
) -> Path:
    """Run what is missing of an experiment and record it.

    What cannot be run, as its data is not there or its method cannot work with it, is left out with a warning, and is missing on the page.

    Args:
        name: One of `experiments`.
        results: Where every cell's record is written, in a folder of its name.
        runs: Where the runs are kept, and continued from.
        only: What to run, see `datastill.experiments.choosing.chosen`: entries such as "data=cifar10" and "method=dm", or names.
        repeats: Networks to evaluate with, if fewer than the specification asks for; later calls add only the missing ones.
        recorded: Called after every cell with the experiment's name, `results` and `experiments`, such as `datastill.report.results.write`.
        experiments: The specifications by name.
        order: Gives the cells to run, such as a `datastill.experiments.budget.Budget`; None for all in their order.
        executor: Runs the cells elsewhere, such as `datastill.experiments.executors.Local`; None runs them here, one after the other.

    Returns:
        The folder of the results.

    Raises:
        UserError: If there is no such experiment or row, if nothing that is missing can be run, or if what is recorded was run in another
            precision than what is missing would be, or nothing can be written; at the end if cells failed, or another process is at work on
            them.
    """
    check_folder(results)
    check_folder(runs)
    work = to_run(name, results=results, only=only, repeats=repeats, experiments=experiments)
    cells = order(work, name, experiments) if order else work.cells
    drawn = False

    def draw() -> None:
        nonlocal drawn
        drawn = True
        if recorded is not None:
            _draw(recorded, name, results, experiments)

    failed, begun = list[Outcome](), list[str]()

    def tasks() -> Iterator[Task]:
        for cell in cells:
            begun.append(cell.name)
            yield Task(cell, results, runs)

    failed = _here(tasks(), work.read, draw) if executor is None else gather(executor(tasks()), draw)
    if not drawn and len(failed) < max(1, len(begun)):
        draw()
    said = [outcome.failure if executor is None else f"{outcome.failure}; see {outcome.log}" for outcome in failed]
    if len(failed) == len(begun) == 1:
        raise UserError(said[0])
    if failed:
        others = ", the others are recorded" if len(failed) < len(begun) else ""
        each = "; ".join(f"{outcome.task.name} ({why})" for outcome, why in zip(failed, said, strict=True))
        raise UserError(f"{len(failed)} of {len(begun)} cells failed{others}: {each}")
    return results / name


def _here(tasks: Iterable[Task], read: Callable[[str], DataSet], draw: Callable[[], None]) -> list[Outcome]:
    """Run tasks one after the other in this process; those that failed."""
    failed, untold = list[Outcome](), list[Outcome]()
    for task in tasks:
        while untold:  # told when another one begins: the last one is told by the error
            outcome = untold.pop()
            log.error("%s failed: %s", outcome.task.name, outcome.failure)
        outcome = perform(task, read, telling=False)
        if outcome.failure:
            failed.append(outcome)
            untold.append(outcome)
        else:
            draw()
    return failed


def _draw(recorded: Callable[[str, Path, Specifications], None], name: str, results: Path, experiments: Specifications) -> None:
    """Have the pages written by one process at a time, so that none writes them from fewer records after another one."""
    with locked(results / name / "README.md", f"the pages of {name}", wait=True):
        remove_leftovers(results / name)
        recorded(name, results, experiments)


@dataclass(frozen=True)
class Work:
    """What of an experiment is to be run.

    Attributes:
        cells: With the policy that the whole table has, in order; without those that cannot be run.
        missing: Cells that are not recorded, those that cannot be run included.
        read: Loads a data set, or gives the last one again.
        recorded: Names of cells that have a record.
    """

    cells: tuple[AnyCell, ...]
    missing: int
    read: Callable[[str], DataSet]
    recorded: frozenset[str] = frozenset()


Order = Callable[[Work, str, Specifications], Iterable[AnyCell]]
"""Gives cells of an experiment of that name one after the other, each when the one before has been run."""


def to_run(
    name: str, *, results: Path, only: Sequence[str] = (), repeats: int | None = None, experiments: Specifications = EXPERIMENTS
) -> Work:
    """Find what is missing of an experiment and can be run (see `run_experiment`).

    Raises:
        UserError: As `run_experiment`.
    """
    if name not in experiments:
        raise unknown("experiment", name, experiments)
    repeats = None if repeats is None else whole("repeats", repeats, least=1)
    cells = experiments[name].cells(name, experiments)
    wanted = chosen(name, cells, only)
    found = {cell.name: read_cell(cell, results) for cell in cells}
    missing = [cell for cell in (_fewer(cell, repeats) for cell in wanted) if not done(cell, found[cell.name])]
    read = lru_cache(maxsize=1)(load)
    asked = cells[0].policy
    deciding = missing if asked.precision != "auto" and asked.compile is not None else cells  # no others settle what is open
    refused = _refused(deciding, read) if missing else {}
    runnable = _runnable(missing, refused)
    possible = [cell for cell in cells if cell.name not in refused]
    policy = settled(name, possible, [record for record in found.values() if record], read) if runnable else Policy()
    recorded = frozenset(cell.name for cell in cells if found[cell.name])
    return Work(tuple(replace(cell, policy=policy) for cell in runnable), len(missing), read, recorded)


def _refused(cells: Sequence[AnyCell], read: Callable[[str], DataSet]) -> dict[str, str]:
    """Why cells cannot be run, by their names: their data is not there, or their method cannot work with it."""
    reasons, absent = {}, dict[str, str]()
    for cell in cells:
        try:
            if cell.data not in absent:
                data = read(cell.data)
        except UserError as error:
            absent[cell.data] = str(error)  # looked for once, and not by every cell again
        if cell.data in absent:
            reasons[cell.name] = absent[cell.data]
            continue
        try:
            if isinstance(cell, Cell):
                compose(cell, data).check(data, cell.ipc)
            elif isinstance(cell, ContinualCell):
                check(cell, data)
            elif isinstance(cell, ApplicationCell):
                check_application(cell, data)
        except UserError as error:
            reasons[cell.name] = str(error)
    return reasons


def _runnable(missing: Sequence[AnyCell], refused: Mapping[str, str]) -> list[AnyCell]:
    """Those that can be run; a line says why others are left out, before hours are spent on the first.

    Raises:
        UserError: If it is none of them.
    """
    found = [cell for cell in missing if cell.name not in refused]
    left = [cell.name for cell in missing if cell.name in refused]
    reasons = list(dict.fromkeys(refused[name] for name in left))
    for reason in reasons if found else reasons[1:]:  # the error tells the first
        log.warning("left out: %s (%s)", _few([name for name in left if refused[name] == reason]), reason)
    if left and not found:
        raise UserError(f"nothing that is missing can be run: {reasons[0]}")
    return found


def _few(names: Sequence[str]) -> str:
    """The first names of many, and how many others there are.

    Example:
        >>> _few(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")


def _fewer(cell: AnyCell, repeats: int | None) -> AnyCell:
    return cell if isinstance(cell, TeacherCell) else replace(cell, repeats=min(repeats or cell.repeats, cell.repeats))
