"""The page of an experiment on teachers, made from its records alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datastill.experiments.reading import read_cell
from datastill.experiments.record import TeacherRecord
from datastill.experiments.specification import TeacherExperiment
from datastill.files import write_atomic
from datastill.report.commands import experiment as experiment_command
from datastill.report.curve import write_teacher_curves
from datastill.report.durations import shortened, written
from datastill.report.markdown import table, write_csv
from datastill.report.model import TeacherPoint


@dataclass(frozen=True)
class TeacherLine:
    """What one recipe reaches. Also the columns of ``table.csv``."""

    recipe: str
    data: str
    network: str
    held_out_accuracy: float | None
    training_accuracy: float
    minutes: float
    tflop: float
    gflops: float
    epochs: int
    half_size_epochs: int
    batch: int
    schedule: str
    learning_rate: float
    momentum: float
    weight_decay: float
    augment: bool
    train: int
    held_out: int
    seed: int
    device: str
    precision: str
    compiled: bool | None
    processor: str
    cores: int
    torch: str
    commit: str
    log: str
    commands: str


def write(name: str, experiment: TeacherExperiment, results: Path) -> None:
    """Write ``table.csv``, ``curve.csv``, ``curve.png`` and ``README.md`` from the records that are there."""
    cells = {cell.name.removeprefix(f"{name}/"): cell for cell in experiment.cells(name, {})}
    records = {recipe: record for recipe, cell in cells.items() if (record := read_cell(cell, results))}
    if not records:
        return
    lines = [_line(recipe, record) for recipe, record in records.items()]
    points = [point for recipe, record in records.items() for point in _points(recipe, record)]
    folder = results / name
    write_csv(lines, folder / "table.csv")
    write_csv(points, folder / "curve.csv")
    write_teacher_curves(points, folder / "curve.png", experiment.title)
    missing = [recipe for recipe in cells if recipe not in records]
    write_atomic(folder / "README.md", "\n".join(_page(experiment, lines, missing, points)) + "\n")


def _line(recipe: str, record: TeacherRecord) -> TeacherLine:
    cell, last, maker = record.cell, record.curve[-1], record.trained_by
    return TeacherLine(
        recipe=recipe,
        data=cell.data,
        network=cell.network,
        held_out_accuracy=None if last.held_out is None else round(last.held_out, 2),
        training_accuracy=last.accuracy,
        minutes=shortened(last.seconds / 60),
        tflop=round(record.cost / 1e12, 3),
        gflops=round(record.cost / last.seconds / 1e9, 1),
        epochs=cell.recipe.epochs,
        half_size_epochs=record.half_size_epochs,
        batch=record.batch,
        schedule=cell.recipe.schedule,
        learning_rate=cell.recipe.learning_rate,
        momentum=cell.recipe.momentum,
        weight_decay=cell.recipe.weight_decay,
        augment=cell.recipe.augment,
        train=record.train,
        held_out=record.held_out,
        seed=0,
        device=maker.device,
        precision=maker.precision,
        compiled=maker.compiled,
        processor=maker.processor,
        cores=maker.cores,
        torch=maker.torch,
        commit=", ".join(maker.commits),
        log=f"{recipe}/metrics.jsonl",
        commands=experiment_command(record.cell.name.partition("/")[0], [record]),
    )


def _points(recipe: str, record: TeacherRecord) -> list[TeacherPoint]:
    return [
        TeacherPoint(
            recipe, number, shortened(epoch.seconds / 60, 3), epoch.accuracy, None if epoch.held_out is None else round(epoch.held_out, 2)
        )
        for number, epoch in enumerate(record.curve, 1)
    ]


def _page(experiment: TeacherExperiment, lines: Sequence[TeacherLine], missing: Sequence[str], points: Sequence[TeacherPoint]) -> list[str]:
    first = lines[0]
    title = f"{experiment.title} ({len(lines)} of {len(lines) + len(missing)} cells)" if missing else experiment.title
    page = [f"# {title}", ""]
    if missing:
        page += [f"Not run: {', '.join(f'`{recipe}`' for recipe in missing)}.", ""]
    head = ["recipe", "held-out accuracy %", "minutes", "TFLOP", "GFLOP/s", "epochs (of half size)", "precision", "processor", "commit"]
    page += table(head, [
        [
            f"`{line.recipe}`", _percent(line.held_out_accuracy), written(line.minutes), f"{line.tflop:.3g}", f"{line.gflops:.0f}",
            f"{line.epochs} ({line.half_size_epochs})", line.precision, f"{line.processor}, {line.cores} cores", line.commit,
        ]
        for line in lines
    ])  # fmt: skip
    page += [
        "",
        f"Top-1 of one {first.network} a line, so without a spread, on {first.held_out} images of {first.data} that are held "
        f"out of the training split as validation split; {first.train} are trained on. The test split is not looked at. Minutes are of "
        "training by the clock: compiling is included, or finding what an earlier process compiled; measuring is left out. Training counts "
        "as three forward passes.",
        "",
        "![accuracy over minutes](curve.png)",
        "",
    ]
    head = ["recipe", "epoch", "minutes so far", "accuracy on its training batches %", "held-out accuracy %"]
    page += table(head, [
        [
            f"`{point.recipe}`", point.epoch, written(point.minutes), _percent(point.training_accuracy), _percent(point.held_out_accuracy),
        ]
        for point in points
    ])  # fmt: skip
    page += ["", "Training batches are augmented, and each is classified before its step.", ""]
    if experiment.remark:
        page += [experiment.remark, ""]
    page += ["## Provenance", ""]
    rows = [[f"`{line.recipe}`", _values(line), line.seed, _engine(line), line.torch, f"[{line.log}]({line.log})"] for line in lines]
    return [*page, *table(["recipe", "values", "seed", "engine", "torch", "log"], rows)]


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _values(line: TeacherLine) -> str:
    augmented = "augmented" if line.augment else "not augmented"
    return (
        f"{line.schedule}, learning rate {line.learning_rate}, momentum {line.momentum}, weight decay {line.weight_decay}, "
        f"batch {line.batch}, {augmented}"
    )


def _engine(line: TeacherLine) -> str:
    return f"{line.device}, {line.precision}, {'compiled' if line.compiled else 'not compiled'}"
