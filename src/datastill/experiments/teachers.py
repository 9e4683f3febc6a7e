"""Rows of experiments on teachers: train in a folder of their own, record."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datastill import provenance
from datastill.data import DataSet
from datastill.encoders import pretrain
from datastill.engine import Engine
from datastill.experiments.specification import TeacherExperiment
from datastill.files import write_atomic
from datastill.networks import build
from datastill.runs import Run
from datastill.teachers.pretraining import batch_size, found, half_size_epochs, pretraining_cost

log = logging.getLogger(__name__)


def run_row(experiment: TeacherExperiment, name: str, data: DataSet, run: Path, target: Path) -> None:
    """Train the network of a row into the run's own folder, so that nothing is found trained and nobody's pool is touched.

    Args:
        experiment: The experiment.
        name: The row's.
        data: What is trained and measured on.
        run: The run's folder, begun or continued.
        target: The folder of the row's configuration and log, a line an epoch; if the log is there, nothing is done.
    """
    if (target / "metrics.jsonl").exists():
        return
    log.warning("experiment: %s", name)
    recipe, kept = experiment.recipes[name], Run(run)
    begun = kept.config()
    engine = _engine(experiment, name, data, begun or {})
    if begun is None or not found(data, experiment.network, 1, recipe, cache=run):
        kept.begin(_describe(experiment, name, data, engine), resume=begun is not None)
    (network,) = pretrain(data, experiment.network, 1, recipe, engine, cache=run)
    lines = [{"iteration": number, **epoch._asdict()} for number, epoch in enumerate(network.curve, 1)]
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "config.yaml", target / "config.yaml")
    write_atomic(target / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))


def _engine(experiment: TeacherExperiment, name: str, data: DataSet, begun: Mapping[str, Any]) -> Engine:
    """What suits the job, or what a run was begun with; chosen for good, so that the configuration says how the network is trained."""
    network = build(experiment.network, channels=data.channels, classes=data.classes, size=data.size)
    engine = Engine.choose(cost=pretraining_cost(data, network, experiment.recipes[name]))
    recorded = begun.get("engine")
    return replace(engine.as_recorded(recorded) if isinstance(recorded, Mapping) else engine, asked=None)


def _describe(experiment: TeacherExperiment, name: str, data: DataSet, engine: Engine) -> dict[str, Any]:
    recipe = experiment.recipes[name]
    network = build(experiment.network, channels=data.channels, classes=data.classes, size=data.size)
    return {
        "data": data.describe(),
        "network": experiment.network,
        "recipe": asdict(recipe),
        "half_size_epochs": half_size_epochs(data, network, recipe),
        "batch": batch_size(data, recipe),
        "seed": 0,
        "engine": engine.describe(),
        "operations": pretraining_cost(data, network, recipe),
        "made_by": provenance.made_by(),
    }
