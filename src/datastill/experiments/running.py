"""From a specification to its results: row after row, resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from datastill.data import load
from datastill.errors import UserError, unknown
from datastill.experiments import tables, teachers
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.specification import Experiment, TeacherExperiment
from datastill.files import write_atomic


def run_experiment(name: str, *, results: Path, runs: Path, only: Sequence[str] = (), repeats: int | None = None) -> Path:
    """Run what is missing of an experiment and write its results.

    Args:
        name: One of `EXPERIMENTS`.
        results: Where the table, the curve and each row's log are written, in a folder of the experiment's name.
        runs: Where the runs are kept, and continued from.
        only: Rows to run, by name; by default all.
        repeats: Networks to evaluate with, if fewer than the specification asks for; asked again for more, only those missing are trained.

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
        write(experiment, folder)
    write_index(EXPERIMENTS, results)
    return folder


def write(experiment: Experiment | TeacherExperiment, folder: Path) -> None:
    """Write ``table.csv``, ``curve.csv``, ``curve.png`` and ``README.md`` from the rows that are there."""
    if isinstance(experiment, TeacherExperiment):
        teachers.write(experiment, folder)
    else:
        tables.write(experiment, folder)


def write_index(experiments: Mapping[str, Experiment | TeacherExperiment], results: Path) -> None:
    """Write ``README.md`` in the folder of all results: a link for every experiment that has been run, and to the benchmarks."""
    lines = ["# Results", "", "Written by `datastill experiment NAME`; each page has protocol, seeds, n, commit and logs.", ""]
    lines += [
        f"- [{experiment.title}]({name}/README.md)" for name, experiment in experiments.items() if (results / name / "README.md").exists()
    ]
    if (results / "benchmarks" / "README.md").exists():
        lines.append("- [Speed](benchmarks/README.md), written by `make bench`")
    write_atomic(results / "README.md", "\n".join(lines) + "\n")
