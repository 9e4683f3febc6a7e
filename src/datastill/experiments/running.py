"""From a specification to its records: cell after cell, resumable."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from datastill.data import load
from datastill.engine.policy import Policy
from datastill.errors import UserError, unknown
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.cell import Cell, TeacherCell
from datastill.experiments.policy import settled
from datastill.experiments.reading import read_cell
from datastill.experiments.record import Record, TeacherRecord
from datastill.experiments.specification import Specifications
from datastill.experiments.tables import run_cell
from datastill.experiments.teachers import run_teacher

log = logging.getLogger(__name__)


def run_experiment(
    name: str,
    *,
    results: Path,
    runs: Path,
    only: Sequence[str] = (),
    repeats: int | None = None,
    recorded: Callable[[str, Path, Specifications], None] | None = None,
    experiments: Specifications = EXPERIMENTS,
) -> Path:
    """Run what is missing of an experiment and record it.

    Args:
        name: One of `experiments`.
        results: Where every cell's record is written, in a folder of its name.
        runs: Where the runs are kept, and continued from.
        only: What to run: names of rows such as "dm", of parts such as "digits-ipc2", or of cells such as "digits-ipc2/dm/seed1".
        repeats: Networks to evaluate with, if fewer than the specification asks for; later calls add only the missing ones.
        recorded: Called after every cell with the experiment's name, `results` and `experiments`, such as `datastill.report.results.write`.
        experiments: The specifications by name.

    Returns:
        The folder of the results.

    Raises:
        UserError: If there is no such experiment or row, or what is recorded was run in another precision than what is missing would be.
    """
    if name not in experiments:
        raise unknown("experiment", name, experiments)
    if repeats is not None and repeats < 1:
        raise UserError(f"an experiment needs at least one network, got `repeats={repeats}`")
    cells = experiments[name].cells(name, experiments)
    wanted = _chosen(name, cells, only)
    found = {cell.name: read_cell(cell, results) for cell in cells}
    missing = [cell for cell in (_fewer(cell, repeats) for cell in wanted) if not _done(cell, found[cell.name])]
    read = lru_cache(maxsize=1)(load)
    policy = settled(name, cells, [record for record in found.values() if record], read) if missing else Policy()
    for cell in missing:
        log.info("experiment: %s", cell.name)
        if isinstance(cell, TeacherCell):
            run_teacher(replace(cell, policy=policy), results=results, runs=runs, read=read)
        else:
            run_cell(replace(cell, policy=policy), results=results, runs=runs, read=read)
        if recorded is not None:
            recorded(name, results, experiments)
    if recorded is not None and not missing:
        recorded(name, results, experiments)
    return results / name


def _chosen(name: str, cells: Sequence[Cell | TeacherCell], only: Sequence[str]) -> list[Cell | TeacherCell]:
    """The cells that have one of the names as a part of their own, after the experiment's."""
    parts = {cell.name: f"/{cell.name.removeprefix(f'{name}/')}/" for cell in cells}
    for entry in only:
        if not any(f"/{entry}/" in part for part in parts.values()):
            known = dict.fromkeys(part for whole in parts.values() for part in whole.strip("/").split("/"))
            raise unknown("row", entry, known)
    return [cell for cell in cells if not only or any(f"/{entry}/" in parts[cell.name] for entry in only)]


def _fewer(cell: Cell | TeacherCell, repeats: int | None) -> Cell | TeacherCell:
    return replace(cell, repeats=min(repeats or cell.repeats, cell.repeats)) if isinstance(cell, Cell) else cell


def _done(cell: Cell | TeacherCell, record: Record | TeacherRecord | None) -> bool:
    if isinstance(cell, Cell) and isinstance(record, Record):
        return record.cell.repeats >= cell.repeats
    return record is not None
