"""The page of a figure of continual learning, made from its records alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from datastill.evaluation.spread import half_interval, spread
from datastill.experiments import ContinualExperiment, ContinualRecord, ContinualRow
from datastill.experiments.reading import read_cell
from datastill.files import write_atomic
from datastill.report.commands import experiment as experiment_command
from datastill.report.curve import write_continual_curves
from datastill.report.durations import in_minutes, written
from datastill.report.markdown import table, write_csv
from datastill.report.model import ContinualPoint


@dataclass(frozen=True)
class ContinualLine:
    """What one method reaches after the last step. Also the columns of ``table.csv``."""

    method: str
    data: str
    steps: int
    ipc: int
    accuracy: float
    std: float | None
    interval95: float | None
    mean_over_steps: float
    orders: int
    n: int
    minutes: float | None
    network: str
    epochs: int
    protocol: str
    preset: str
    iterations: int
    settings: str
    split: str
    train: int
    seeds: str
    precision: str
    compiled: bool | None
    evaluation_precision: str
    device: str
    processor: str
    cores: int
    torch: str
    commit: str
    commands: str


@dataclass(frozen=True)
class _Curve:
    """The records of one method with one number of steps."""

    steps: int
    row: ContinualRow
    records: tuple[ContinualRecord, ...]


def write(name: str, experiment: ContinualExperiment, results: Path) -> None:
    """Write ``table.csv``, ``curve.csv``, ``curve.png`` and ``README.md`` from the records that are there."""
    curves, missing = [], list[str]()
    for steps in experiment.steps:
        for row in experiment.rows:
            found = {cell.name.removeprefix(f"{name}/"): read_cell(cell, results) for cell in experiment.cells_of(name, steps, row)}
            missing += [place for place, record in found.items() if record is None]
            curves.append(_Curve(steps, row, tuple(record for record in found.values() if record is not None)))
    run = [curve for curve in curves if curve.records]
    if not run:
        return
    lines, points = [_line(name, experiment, curve) for curve in run], [point for curve in run for point in _points(curve)]
    folder = results / name
    write_csv(lines, folder / "table.csv")
    write_csv(points, folder / "curve.csv")
    write_continual_curves(points, folder / "curve.png", experiment.title)
    write_atomic(folder / "README.md", "\n".join(_page(experiment, curves, lines, missing)) + "\n")


def _points(curve: _Curve) -> list[ContinualPoint]:
    return [
        ContinualPoint(
            method=curve.row.name,
            steps=curve.steps,
            step=step + 1,
            classes_seen=stage.classes,
            images=stage.images,
            trained_on=stage.trained_on,
            accuracy=round(fmean(_means(curve, step)), 2),
            std=_spread(curve, step),
            orders=len(curve.records),
            n=len(stage.score.accuracies),
        )
        for step, stage in enumerate(curve.records[0].stages)
    ]


def _means(curve: _Curve, step: int) -> list[float]:
    """The mean of every order of the classes after a step, which is counted from the end where it is below 0."""
    return [fmean(record.stages[step].score.accuracies) for record in curve.records]


def _over(curve: _Curve, step: int) -> Sequence[float]:
    """What a deviation is over: the orders, or the networks of the only one."""
    return _means(curve, step) if len(curve.records) > 1 else curve.records[0].stages[step].score.accuracies


def _spread(curve: _Curve, step: int) -> float | None:
    found = spread(_over(curve, step))
    return None if found is None else round(found, 2)


def _line(name: str, experiment: ContinualExperiment, curve: _Curve) -> ContinualLine:
    first = curve.records[0]
    cell, maker, interval = first.cell, first.distilled_by, half_interval(_over(curve, -1))
    seconds = [stage.seconds_per_step for record in curve.records for stage in record.stages]
    known = [each for each in seconds if each is not None]
    commits = dict.fromkeys(
        commit for record in curve.records for by in (record.distilled_by, record.evaluated_by) for commit in by.commits
    )
    return ContinualLine(
        method=curve.row.name,
        data=cell.data,
        steps=curve.steps,
        ipc=cell.ipc,
        accuracy=round(fmean(_means(curve, -1)), 2),
        std=_spread(curve, -1),
        interval95=None if interval is None else round(interval, 2),
        mean_over_steps=round(fmean(fmean(_means(curve, step)) for step in range(curve.steps)), 2),
        orders=len(curve.records),
        n=min(len(record.stages[-1].score.accuracies) for record in curve.records),
        minutes=in_minutes(fmean(known) * max(1, cell.iterations) * curve.steps if known else None),
        network=cell.protocol.network,
        epochs=first.evaluation_epochs,
        protocol=", ".join(filter(None, [cell.protocol.called.upper(), cell.protocol.changes])),
        preset=cell.preset,
        iterations=cell.iterations,
        settings=", ".join(cell.settings),
        split=cell.split,
        train=first.train,
        seeds=", ".join(str(record.cell.seed) for record in curve.records),
        precision=maker.precision,
        compiled=maker.compiled,
        evaluation_precision=first.evaluated_by.precision,
        device=first.evaluated_by.device,
        processor=first.evaluated_by.processor,
        cores=first.evaluated_by.cores,
        torch=first.evaluated_by.torch,
        commit=", ".join(commits),
        commands=experiment_command(name, curve.records, experiment.repeats),
    )


def _page(experiment: ContinualExperiment, curves: Sequence[_Curve], lines: Sequence[ContinualLine], missing: Sequence[str]) -> list[str]:
    cells = sum(len(curve.records) for curve in curves)
    page = [f"# {experiment.title}" + (f" ({cells} of {cells + len(missing)} cells)" if missing else ""), ""]
    if missing:
        page += [f"Not run: {', '.join(f'`{place}`' for place in missing)}.", ""]
    page += ["![accuracy over classes seen](curve.png)", ""]
    for steps in experiment.steps:
        page += [f"## {steps} steps", "", *_accuracies([curve for curve in curves if curve.steps == steps]), ""]
    page += [_explained(lines[0], curves), ""]
    if experiment.remark:
        page += [experiment.remark, ""]
    head = [
        "steps", "method", "preset", "iterations a step", "orders", "n", "minutes of distilling", "precision", "processor", "commit",
    ]  # fmt: skip
    rows = [
        [
            line.steps, f"`{line.method}`", line.preset, line.iterations or None, line.seeds, line.n,
            None if line.minutes is None else written(line.minutes),
            line.precision or line.evaluation_precision, f"{line.processor}, {line.cores} cores", line.commit,
        ]
        for line in lines
    ]  # fmt: skip
    return [*page, "## Provenance", "", *table(head, rows)]


def _accuracies(curves: Sequence[_Curve]) -> list[str]:
    """A row for every method, a column for every number of classes seen."""
    seen = next(([f"{stage.classes} classes" for stage in curve.records[0].stages] for curve in curves if curve.records), ["all classes"])
    rows = []
    for curve in curves:
        points = _points(curve) if curve.records else []
        cells = [f"{point.accuracy:.2f}" + ("" if point.std is None else f" +- {point.std:.2f}") for point in points]
        rows.append([f"`{curve.row.name}`", *(cells or ["not run"] * len(seen)), str(len(curve.records))])
    return table(["accuracy % after", *seen, "orders"], rows)


def _explained(line: ContinualLine, curves: Sequence[_Curve]) -> str:
    orders = max(len(curve.records) for curve in curves)
    over = "the means of the orders of classes" if orders > 1 else "the networks, as there is one order of classes"
    spread = f"The standard deviation (divided by n) is over {over}. " if line.std is not None else ""
    networks = f"{line.n} networks ({line.network}, {line.epochs} epochs, {line.protocol} protocol) are"
    one = f"one network ({line.network}, {line.epochs} epochs, {line.protocol} protocol) is"
    return (
        f"Top-1 on the {line.split} split of {line.data}, on the classes seen. After every step "
        f"{one if line.n == 1 else networks} trained from scratch on the whole memory of {line.ipc} images a class, with "
        f"an output for every class seen. Each step reads only its new classes; all of them have {line.train} training images, the rest is "
        f"held out as validation split. Orders of classes and all draws derive from the seeds. {spread}"
        "Minutes are of distilling, median seconds per step times steps, in one order. `table.csv` has the commands that "
        "repeat each row, and `curve.csv` the figures of the picture."
    )
