"""The lines of tables and the points of curves, each from one or several records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from datastill.evaluation.spread import half_interval, spread
from datastill.experiments import Record
from datastill.experiments.record import RECORD, Maker
from datastill.experiments.specification import Line
from datastill.labels import HARD
from datastill.methods.published import PublishedAccuracy
from datastill.report import described
from datastill.report.commands import commands
from datastill.report.durations import in_minutes, shortened


@dataclass(frozen=True)
class MethodLine:
    """One line of a table: a method on a data set at an IPC, over all seeds that are recorded. Also the columns of ``table.csv``."""

    method: str
    preset: str
    data: str
    ipc: int
    network: str
    accuracy: float
    std: float | None
    interval95: float | None
    n: int
    sets: int
    images: int
    trained_on: int
    labels: str
    paper: float | None
    paper_differs: str
    paper_best: bool
    split: str
    iterations: int
    train: int
    real_batch: int | None
    pixels: str
    terms: str
    networks: str
    epochs: int
    augment: bool
    protocol: str
    learning_rate: str
    run_seed: str
    evaluation_seeds: str
    seconds_per_iteration: float | None
    minutes: float | None
    teacher_minutes: float | None
    precision: str
    processor: str
    commit: str
    evaluation_precision: str
    evaluation_processor: str
    evaluation_commit: str
    log: str
    commands: str

    @property
    def published(self) -> PublishedAccuracy | None:
        """What is published."""
        return None if self.paper is None else PublishedAccuracy(self.paper, self.paper_best, self.paper_differs)

    @property
    def difference(self) -> float | None:
        """Points above what is published; None where that is another measurement."""
        return None if self.paper is None or self.paper_differs else self.accuracy - self.paper


@dataclass(frozen=True)
class CurvePoint:
    """A validation accuracy with the minutes of distilling before it. Also the columns of ``curve.csv``."""

    method: str
    iteration: int
    minutes: float
    validation_accuracy: float


@dataclass(frozen=True)
class ContinualPoint:
    """What networks reach that are trained on the memory after a step. Also the columns of ``curve.csv``.

    Attributes:
        method: The row.
        steps: In how many the classes come.
        step: From 1.
        classes_seen: Until then.
        images: Of the memory.
        trained_on: Images that the networks were trained on.
        accuracy: Top-1 in percent on the classes seen, mean over the orders of the classes.
        std: Over the means of the orders, or over the networks where there is one order; None for one network.
        orders: How many.
        n: Networks of each order.
    """

    method: str
    steps: int
    step: int
    classes_seen: int
    images: int
    trained_on: int
    accuracy: float
    std: float | None
    orders: int
    n: int


@dataclass(frozen=True)
class TeacherPoint:
    """What a network had reached after an epoch. Also the columns of ``curve.csv``."""

    recipe: str
    epoch: int
    minutes: float
    training_accuracy: float
    held_out_accuracy: float | None


def method_line(line: Line, records: Sequence[Record], experiment: str) -> MethodLine:
    """Put the records of a line together.

    The accuracy is the mean over the networks of all sets. The deviation and the interval are over the networks where there is one set,
    and over the means of the sets where there are several: networks trained on one set do not show how sets differ.

    Args:
        line: Of the specification.
        records: Those of its cells that have been run, at least one.
        experiment: Its name, which the logs lie below.
    """
    first, specified = records[0], {cell.name: cell for cell in line.cells}
    cell, protocol, published = first.cell, first.cell.protocol, line.published
    accuracies = [accuracy for record in records for accuracy in record.score.accuracies]
    values = [fmean(record.score.accuracies) for record in records] if len(records) > 1 else accuracies
    rates = [protocol.learning_rate if record.learned_rate is None else record.learned_rate for record in records]
    seconds = _mean([record.seconds_per_step for record in records])
    distilled, evaluated = [record.distilled_by for record in records], [record.evaluated_by for record in records]
    return MethodLine(
        method=line.row.name,
        preset=cell.preset,
        data=line.block.name,
        ipc=line.ipc,
        network=protocol.network,
        accuracy=round(fmean(accuracies), 2),
        std=_rounded(spread(values)),
        interval95=_rounded(half_interval(values)),
        n=len(accuracies),
        sets=len(records),
        images=first.images,
        trained_on=first.trained_on,
        labels=first.track,
        paper=None if published is None else published.percent,
        paper_differs="" if published is None else published.differs,
        paper_best=published is not None and published.best,
        split=cell.split,
        iterations=cell.iterations,
        train=first.train,
        real_batch=first.method.get("real_batch"),
        pixels=described.pixels(first.method),
        terms=described.terms(first.method),
        networks=described.networks(first.method, first.encoders),
        epochs=first.evaluation_epochs,
        augment=protocol.augment,
        protocol=", ".join(filter(None, (protocol.called.upper(), protocol.changes))),
        learning_rate="learned for each step" if protocol.called == "dd" else _joined(f"{rate:.4g}" for rate in rates),
        run_seed=_joined(record.cell.seed for record in records),
        evaluation_seeds=_joined(f"{record.cell.seed}/0..{record.cell.repeats - 1}" for record in records),
        seconds_per_iteration=None if seconds is None else shortened(seconds, 3),
        minutes=in_minutes(None if seconds is None else seconds * max(1, cell.iterations)),
        teacher_minutes=in_minutes(first.teacher_seconds),
        precision=_joined(maker.precision for maker in distilled),
        processor=_joined(maker.processor for maker in distilled),
        commit=_commits(distilled),
        evaluation_precision=_joined(maker.precision for maker in evaluated),
        evaluation_processor=_joined(maker.processor for maker in evaluated),
        evaluation_commit=_commits(evaluated),
        log=f"{cell.name.removeprefix(f'{experiment}/')}/{RECORD if seconds is None else 'metrics.jsonl'}",
        commands="; ".join(commands(record, specified[record.cell.name]) for record in records),
    )


def curve_points(name: str, record: Record) -> list[CurvePoint]:
    """The curve of a run, each point with the minutes before it (median seconds per step times steps)."""
    minutes = (record.seconds_per_step or 0) / 60
    name = name if record.track == HARD else f"{name} (soft labels)"
    return [
        CurvePoint(name, point.iteration, shortened(minutes * point.iteration, 3), round(point.validation_accuracy, 3))
        for point in record.curve
    ]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _joined(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values if value != ""))


def _commits(makers: Sequence[Maker]) -> str:
    return _joined(commit for maker in makers for commit in maker.commits)
