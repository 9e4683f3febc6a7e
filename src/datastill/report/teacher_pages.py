"""The page of an experiment on teachers: its lines, read back from what its rows recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datastill.experiments import TeacherExperiment
from datastill.report.table import write_csv
from datastill.report.teacher import write_teacher_curves, write_teachers
from datastill.runs import Run


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
