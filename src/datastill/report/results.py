"""Pages of experiments, from their records alone."""

from __future__ import annotations

from pathlib import Path

from datastill.errors import unknown
from datastill.experiments import EXPERIMENTS, ContinualExperiment, TeacherExperiment
from datastill.experiments.embeddings.specification import EmbeddingExperiment
from datastill.experiments.privacy.specification import PrivacyExperiment
from datastill.experiments.search.specification import SearchExperiment
from datastill.experiments.specification import Experiment, Specifications
from datastill.files import write_atomic
from datastill.report import continual_pages, embedding_pages, method_pages, privacy_pages, search_pages, teacher_pages


def write(name: str, results: Path, experiments: Specifications = EXPERIMENTS) -> None:
    """Write ``table.csv``, ``curve.csv``, ``curve.png`` and ``README.md`` of an experiment from the records that are there.

    Args:
        name: One of `experiments`.
        results: The folder of all results.
        experiments: The specifications by name.

    Raises:
        UserError: If there is no such experiment, or a record is damaged.
    """
    if name not in experiments:
        raise unknown("experiment", name, experiments)
    experiment = experiments[name]
    if isinstance(experiment, TeacherExperiment):
        teacher_pages.write(name, experiment, results)
    elif isinstance(experiment, ContinualExperiment):
        continual_pages.write(name, experiment, results)
    elif isinstance(experiment, SearchExperiment):
        search_pages.write(name, experiment, results)
    elif isinstance(experiment, PrivacyExperiment):
        privacy_pages.write(name, experiment, results)
    elif isinstance(experiment, EmbeddingExperiment):
        embedding_pages.write(name, experiment, results)
    elif isinstance(experiment, Experiment):
        method_pages.write(name, experiment, experiment.lines(name, experiments), results)


def write_index(experiments: Specifications, results: Path) -> None:
    """Write ``README.md`` in the folder of all results: a link for every experiment that has been run, and to the benchmarks."""
    lines = ["# Results", "", "Written by `datastill experiment NAME`; each page has protocol, seeds, n, commit and logs.", ""]
    lines += [
        f"- [{experiment.title}]({name}/README.md)" for name, experiment in experiments.items() if (results / name / "README.md").exists()
    ]
    if (results / "exported" / "README.md").exists():
        lines.append("- [Exported image folders in a plain training](exported/README.md), written by `python -m benchmarks.exported`")
    if (results / "targets" / "README.md").exists():
        lines.append("- [Kept targets: seconds and bytes](targets/README.md), written by `python -m benchmarks.targets`")
    if (results / "benchmarks" / "README.md").exists():
        lines.append("- [Speed](benchmarks/README.md), written by `make bench`")
    write_atomic(results / "README.md", "\n".join(lines) + "\n")
