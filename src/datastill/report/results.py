"""Pages of experiments, from what their rows recorded alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datastill.experiments import Experiment, TeacherExperiment
from datastill.files import write_atomic
from datastill.report import method_pages, teacher_pages


def write(experiment: Experiment | TeacherExperiment, folder: Path) -> None:
    """Write ``table.csv``, ``curve.csv``, ``curve.png`` and ``README.md`` from the rows that are there."""
    if isinstance(experiment, TeacherExperiment):
        teacher_pages.write(experiment, folder)
    else:
        method_pages.write(experiment, folder)


def write_index(experiments: Mapping[str, Experiment | TeacherExperiment], results: Path) -> None:
    """Write ``README.md`` in the folder of all results: a link for every experiment that has been run, and to the benchmarks."""
    lines = ["# Results", "", "Written by `datastill experiment NAME`; each page has protocol, seeds, n, commit and logs.", ""]
    lines += [
        f"- [{experiment.title}]({name}/README.md)" for name, experiment in experiments.items() if (results / name / "README.md").exists()
    ]
    if (results / "benchmarks" / "README.md").exists():
        lines.append("- [Speed](benchmarks/README.md), written by `make bench`")
    write_atomic(results / "README.md", "\n".join(lines) + "\n")
