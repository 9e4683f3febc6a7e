"""What a pretrained network reaches, and in what time: train anew, write down."""

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
from datastill.encoders.pretraining import batch_size, found, half_size_epochs, operations
from datastill.engine import Engine
from datastill.experiments.specification import TeacherExperiment
from datastill.files import write_atomic
from datastill.networks import build
from datastill.report.table import write_csv
from datastill.report.teacher import write_teacher_curves, write_teachers
from datastill.run import Run

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


def write(experiment: TeacherExperiment, folder: Path) -> None:
    """Write ``table.csv``, ``curve.csv``, ``curve.png`` and ``README.md`` from the rows that are there."""
    names = [name for name in experiment.names if (folder / name / "metrics.jsonl").exists()]
    if not names:
        return
    table = [_line(name, Run(folder / name)) for name in names]
    curve = [point for name in names for point in _points(name, Run(folder / name))]
    write_csv(table, folder / "table.csv")
    write_csv(curve, folder / "curve.csv")
    write_teacher_curves(curve, folder / "curve.png", experiment.title)
    write_teachers(experiment.title, table, curve, folder / "README.md", remark=experiment.remark)


def _engine(experiment: TeacherExperiment, name: str, data: DataSet, begun: Mapping[str, Any]) -> Engine:
    """What suits the job, or what a run was begun with; chosen for good, so that the configuration says how the network is trained."""
    network = build(experiment.network, channels=data.channels, classes=data.classes, size=data.size)
    engine = Engine.choose(operations=operations(data, network, experiment.recipes[name]))
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
        "operations": operations(data, network, recipe),
        "made_by": provenance.made_by(),
    }


def _line(name: str, run: Run) -> dict[str, Any]:
    config, last = run.config() or {}, run.metrics()[-1]
    recipe, engine = config["recipe"], config["engine"]
    return {
        "recipe": name,
        "data": config["data"]["name"],
        "network": config["network"],
        "held_out_accuracy": round(last["held_out"], 2),
        "training_accuracy": last["accuracy"],
        "minutes": round(last["seconds"] / 60, 2),
        "tflop": round(config["operations"] / 1e12, 3),
        "gflops": round(config["operations"] / last["seconds"] / 1e9, 1),
        "epochs": recipe["epochs"],
        "half_size_epochs": config["half_size_epochs"],
        "batch": config["batch"],
        "schedule": recipe["schedule"],
        "learning_rate": recipe["learning_rate"],
        "momentum": recipe["momentum"],
        "weight_decay": recipe["weight_decay"],
        "augment": recipe["augment"],
        "train": config["data"]["train"],
        "held_out": config["data"]["validation"],
        "seed": config["seed"],
        "device": engine["device"],
        "precision": engine["precision"],
        "compiled": engine["compiled"],
        "processor": config["made_by"]["machine"]["processor"],
        "cores": config["made_by"]["machine"]["cores"],
        "torch": config["made_by"]["machine"]["torch"],
        "commit": ", ".join(run.commits()),
        "log": f"{name}/metrics.jsonl",
    }


def _points(name: str, run: Run) -> list[dict[str, Any]]:
    return [
        {
            "recipe": name,
            "epoch": entry["iteration"],
            "minutes": round(entry["seconds"] / 60, 3),
            "training_accuracy": entry["accuracy"],
            "held_out_accuracy": round(entry["held_out"], 2),
        }
        for entry in run.metrics()
    ]
