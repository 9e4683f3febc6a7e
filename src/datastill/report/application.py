"""What the pages of all applications share: which cells are recorded, who made them, and what repeats them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Generic, TypeVar

from datastill.evaluation.spread import half_interval
from datastill.experiments.application import ApplicationExperiment, ApplicationRecord, SetRow
from datastill.experiments.cell import REAL
from datastill.experiments.reading import read_cell
from datastill.report.commands import experiment as experiment_command
from datastill.report.markdown import table

AnyRecord = TypeVar("AnyRecord", bound=ApplicationRecord)


@dataclass(frozen=True)
class Found(Generic[AnyRecord]):
    """The records of a row.

    Attributes:
        row: Of the specification.
        records: One for every seed that has been run.
    """

    row: SetRow
    records: tuple[AnyRecord, ...]

    @property
    def first(self) -> AnyRecord:
        """The first record."""
        return self.records[0]

    @property
    def ipc(self) -> str:
        """Images per class, in words."""
        cell = self.first.cell
        return str(cell.ipc) if cell.ipc else "all"


@dataclass(frozen=True)
class Provenance:
    """How a row was made. Also columns of ``table.csv``."""

    data: str
    preset: str
    iterations: int
    settings: str
    network: str
    epochs: int
    protocol: str
    split: str
    train: int
    seeds: str
    precision: str
    compiled: bool | None
    device: str
    processor: str
    cores: int
    torch: str
    commit: str
    commands: str


def found(name: str, experiment: ApplicationExperiment, results: Path, kind: type[AnyRecord]) -> tuple[list[Found[AnyRecord]], list[str]]:
    """The rows that have a record, and the names of the cells that have none."""
    rows, missing = [], list[str]()
    for row in experiment.rows:
        records = {cell.name.removeprefix(f"{name}/"): read_cell(cell, results) for cell in experiment.cells_of(name, row)}
        missing += [place for place, record in records.items() if record is None]
        rows.append(Found(row, tuple(record for record in records.values() if isinstance(record, kind))))
    return [each for each in rows if each.records], missing


def provenance(name: str, experiment: ApplicationExperiment, row: Found[AnyRecord]) -> Provenance:
    """How a row was made."""
    cell, maker = row.first.cell, row.first.evaluated_by
    seeds = [record.cell.seed for record in row.records]
    commits = dict.fromkeys(commit for record in row.records for by in (record.distilled_by, record.evaluated_by) for commit in by.commits)
    return Provenance(
        data=cell.data,
        preset="" if cell.method == REAL else cell.preset,
        iterations=cell.iterations,
        settings=", ".join(cell.settings),
        network=cell.protocol.network,
        epochs=cell.protocol.passes,
        protocol=", ".join(filter(None, [cell.protocol.called.upper(), cell.protocol.changes])),
        split=cell.split,
        train=row.first.train,
        seeds=", ".join(map(str, seeds)),
        precision=maker.precision,
        compiled=maker.compiled,
        device=maker.device,
        processor=maker.processor,
        cores=maker.cores,
        torch=maker.torch,
        commit=", ".join(commits),
        commands=experiment_command(name, row.records, experiment.repeats),
    )


def page(
    experiment: ApplicationExperiment, cells: int, missing: Sequence[str], body: Sequence[str], rows: Sequence[tuple[str, Provenance]]
) -> str:
    """A whole page.

    Args:
        experiment: Its title and remark.
        cells: How many have a record.
        missing: Names of those that have none.
        body: Lines between title and remark.
        rows: Name and provenance of every row.
    """
    text = [f"# {experiment.title}" + (f" ({cells} of {cells + len(missing)} cells)" if missing else ""), ""]
    if missing:
        text += [f"Not run: {', '.join(f'`{place}`' for place in missing)}.", ""]
    text += [*body, ""]
    if experiment.remark:
        text += [experiment.remark, ""]
    head = ["set", "preset", "iterations", "settings", "epochs", "seeds", "precision", "processor", "commit"]
    lines = [
        [
            f"`{name}`", by.preset or None, by.iterations or None, by.settings or None, by.epochs, by.seeds, by.precision,
            f"{by.processor}, {by.cores} cores", by.commit,
        ]
        for name, by in rows
    ]  # fmt: skip
    return "\n".join([*text, "## Provenance", "", *table(head, lines)]) + "\n"


def mean_and_interval(values: Sequence[float], digits: int = 2) -> str:
    """A mean with half its 95% interval, where there are several values.

    Example:
        >>> mean_and_interval([0.4, 0.6]), mean_and_interval([0.4, 0.5, 0.6])
        ('0.50', '0.50 +- 0.25')
    """
    half = half_interval(values)
    return f"{fmean(values):.{digits}f}" + ("" if half is None else f" +- {half:.{digits}f}")
