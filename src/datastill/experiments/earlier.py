"""Records of earlier versions, which left three files behind: configuration, metrics and evaluation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.experiments.cell import Cell, TeacherCell
from datastill.experiments.record import Found, Maker, Point, Record, TeacherRecord
from datastill.experiments.stored import check_agreement
from datastill.files import read_regular, reason
from datastill.runs import Run
from datastill.runs.timing import run_seconds_per_step
from datastill.teachers.stored import Epoch


def read_earlier(folder: Path, cell: Cell) -> Record | None:
    """Read ``config.yaml``, ``metrics.jsonl`` and ``evaluation.json`` of a row as the record that it would be now.

    Args:
        folder: Of the row.
        cell: What the specification says of it.
    """
    path, run = folder / "evaluation.json", Run(folder)
    config = run.config()
    if config is None or not path.exists():
        return None
    try:
        evaluation = json.loads(read_regular(path))
        found = _record(evaluation, config, run, cell)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}, or the configuration beside it, is damaged ({reason(error)})") from error
    for score in (found.score, *found.comparisons.values()):
        check_agreement(score.accuracies, score.confusion, path)
    return found


def _record(evaluation: dict[str, Any], config: dict[str, Any], run: Run, cell: Cell) -> Record:
    classes, made_by = evaluation["class_names"], evaluation["made_by"]
    images = cell.ipc * len(classes)
    distilled_by = Maker.of(config["engine"], config["made_by"]["machine"], tuple(run.commits()))
    teachers = any("recipe" in encoder for encoder in config["method"]["encoders"].values())
    return Record(
        cell=replace(cell, repeats=evaluation["n"], policy=Policy(distilled_by.precision, distilled_by.compiled)),
        fingerprint=config["data"]["fingerprint"],
        class_names=tuple(classes),
        train=config["data"]["train"],
        images=images,
        trained_on=evaluation.get("trained_on") or images,
        method=config["method"],
        encoders=config.get("encoders", {}),
        seconds_per_step=run_seconds_per_step(run),
        teacher_seconds=made_by.get("pretraining_seconds") if teachers else 0.0,
        curve=points(run),
        score=_found(evaluation),
        comparisons={name: _found(score) for name, score in evaluation["comparisons"].items()},
        evaluation_epochs=evaluation["protocol"]["epochs"],
        distilled_by=distilled_by,
        evaluated_by=Maker.of(evaluation.get("engine") or {}, made_by["machine"], (made_by["commit"],)),
    )


def remove_earlier(folder: Path) -> None:
    """Remove the ``evaluation.json`` of an earlier version, which a record has taken the place of; another file of that name stays."""
    path = folder / "evaluation.json"
    try:
        evaluation = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError):
        return
    if isinstance(evaluation, dict) and {"class_names", "comparisons", "made_by", "n", "protocol"} <= set(evaluation):
        path.unlink(missing_ok=True)


def read_earlier_teacher(folder: Path, cell: TeacherCell) -> TeacherRecord | None:
    """Read ``config.yaml`` and ``metrics.jsonl`` of a teacher as the record that it would be now."""
    run = Run(folder)
    config, metrics = run.config(), run.metrics()
    if config is None or not metrics:
        return None
    try:
        return TeacherRecord(
            cell=cell,
            train=config["data"]["train"],
            held_out=config["data"]["validation"],
            batch=config["batch"],
            half_size_epochs=config["half_size_epochs"],
            cost=config["operations"],
            curve=tuple(Epoch(entry["seconds"], entry["accuracy"], entry["held_out"]) for entry in metrics),
            trained_by=Maker.of(config["engine"], config["made_by"]["machine"], tuple(run.commits())),
        )
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"the configuration or the metrics in {folder} are damaged ({reason(error)})") from error


def points(run: Run) -> tuple[Point, ...]:
    """The curve that a run recorded."""
    return tuple(Point(entry["iteration"], entry["validation_accuracy"]) for entry in run.metrics() if "validation_accuracy" in entry)


def _found(score: dict[str, Any]) -> Found:
    return Found(tuple(score["accuracies"]), tuple(map(tuple, score["confusion"])))
