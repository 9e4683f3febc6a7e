"""From a specification to its records: row after row, resumable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from datastill.data import load
from datastill.errors import UserError, unknown
from datastill.experiments import tables, teachers
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.specification import Experiment, TeacherExperiment


def run_experiment(
    name: str,
    *,
    results: Path,
    runs: Path,
    only: Sequence[str] = (),
    repeats: int | None = None,
    recorded: Callable[[Experiment | TeacherExperiment, Path], None] | None = None,
) -> Path:
    """Run what is missing of an experiment and record it.

    Args:
        name: One of `EXPERIMENTS`.
        results: Where each row's records are written, in a folder of the experiment's name.
        runs: Where the runs are kept, and continued from.
        only: Rows to run, by name; by default all.
        repeats: Networks to evaluate with, if fewer than the specification asks for; asked again for more, only those missing are trained.
        recorded: Called after every row with the experiment and the folder of its results, such as `datastill.report.results.write`.

    Returns:
        The folder of the results.

    Raises:
        UserError: If there is no such experiment or row.
    """
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    experiment = EXPERIMENTS[name]
    if repeats is not None and repeats < 1:
        raise UserError(f"an experiment needs at least one network, got --repeats {repeats}")
    for row in only:
        if row not in experiment.names:
            raise unknown("row", row, experiment.names)
    data = load(experiment.data)
    folder = results / name
    for row in experiment.names:
        if only and row not in only:
            continue
        if isinstance(experiment, TeacherExperiment):
            teachers.run_row(experiment, row, data, runs / name / row, folder / row)
        else:
            tables.run_row(experiment, row, data, runs / name, folder / row, repeats)
        if recorded is not None:
            recorded(experiment, folder)
    return folder
