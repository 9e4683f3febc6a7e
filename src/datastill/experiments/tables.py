"""Rows of tables of methods: distil, evaluate, record."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

from datastill import provenance
from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.evaluation import Protocol
from datastill.evaluation.evaluate import evaluate
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.specification import Experiment, Row
from datastill.files import write_atomic
from datastill.methods import Method, method
from datastill.runs.distill import distill

log = logging.getLogger(__name__)

KEPT = ("config.yaml", "metrics.jsonl")


def run_row(experiment: Experiment, name: str, data: DataSet, runs: Path, target: Path, repeats: int | None = None) -> None:
    """Distil and evaluate a row, if its evaluation is not there or has fewer networks.

    Args:
        experiment: The table.
        name: The row's.
        data: What is distilled.
        runs: The folder of the experiment's runs, begun or continued; the row's is of its name.
        target: The folder of the row's log and evaluation.
        repeats: Networks to evaluate with; None for the experiment's.
    """
    wanted = min(repeats or experiment.repeats, experiment.repeats)
    if _networks(target) >= wanted:
        return
    row = experiment.rows[experiment.names.index(name)]
    last = row == experiment.rows[-1]
    log.warning("experiment: %s", row.name)
    source, origin, run = experiment, row, runs / row.name
    if row.of:
        other, _, line = row.of.partition("/")
        source = _table(other)
        origin, run = source.rows[source.names.index(line)], runs.parent / row.of
    composed = _composed(source, origin, data)
    distilled = _distilled(source, origin, composed, data, run)
    target.mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        shutil.copyfile(run / file, target / file)
    shutil.copyfile(run / "distilled" / "grid.png", target / "grid.png")
    evaluation = evaluate(
        distilled,
        repeats=wanted,
        seed=experiment.seed,
        split=experiment.split,
        data=data,
        compare=experiment.compare if last else (),
        protocol=Protocol(row.network, epochs=experiment.epochs),
        keep=runs / f"{row.name}.evaluations.json",
    )
    made_by = {"commit": provenance.commit(), "machine": provenance.machine(), "preset": row.preset or experiment.preset}
    content = {**evaluation.describe(), "made_by": {**made_by, "pretraining_seconds": composed.pretraining_seconds(data)}}
    write_atomic(target / "evaluation.json", json.dumps(content, indent=1) + "\n")


def _networks(target: Path) -> int:
    """How many networks a row was evaluated with."""
    path = target / "evaluation.json"
    return int(json.loads(path.read_text())["n"]) if path.exists() else 0


def _table(name: str) -> Experiment:
    experiment = EXPERIMENTS[name]
    if not isinstance(experiment, Experiment):
        raise TypeError(f"{name} is no table of distilled sets")
    return experiment


def _composed(experiment: Experiment, row: Row, data: DataSet) -> Method:
    preset, settings = row.preset or experiment.preset, (*experiment.settings, *row.settings)
    return method(row.method, data=data.source, classes=data.classes, ipc=experiment.ipc, preset=preset, settings=settings)


def _distilled(experiment: Experiment, row: Row, composed: Method, data: DataSet, run: Path) -> DistilledSet:
    return distill(  # a finished run takes no step, but is refused if it was made otherwise
        data,
        method=composed,
        ipc=experiment.ipc,
        iterations=row.iterations or experiment.iterations,
        seed=experiment.seed,
        out=run,
        resume=(run / "config.yaml").exists(),
        validate_at=row.validate_at or experiment.validate_at,
        validation_protocol=Protocol(epochs=experiment.validation_epochs),
    )
