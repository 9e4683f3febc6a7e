"""The page of a table of methods: its lines, read back from what its rows recorded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from datastill.experiments import Experiment, Row
from datastill.report.curve import write_curves
from datastill.report.table import write_csv, write_table
from datastill.runs import Run


def write(experiment: Experiment, folder: Path) -> None:
    """Write ``table.csv``, ``curve.csv``, ``curve.png`` and ``README.md`` from the rows that are there."""
    table, curve = [], []
    for row in experiment.rows:
        if (folder / row.name / "evaluation.json").exists():
            table.append(_line(experiment, row, folder / row.name))
        if not row.of and (folder / row.name / "metrics.jsonl").exists():  # a run's curve is there before its evaluation
            curve += _points(row.name, Run(folder / row.name))
    if not table:
        return
    write_csv(table, folder / "table.csv")
    if curve:
        write_csv(curve, folder / "curve.csv")
        write_curves(curve, folder / "curve.png", experiment.title)
    write_table(experiment.title, table, folder / "README.md", picture="curve.png" if curve else None, remark=experiment.remark)


def _points(name: str, run: Run) -> list[dict[str, Any]]:
    """Validation accuracies of a run, each with the minutes of distilling before it (see `seconds_a_step`)."""
    minutes = _seconds(run) / 60
    return [
        {
            "method": name,
            "iteration": entry["iteration"],
            "minutes": round(minutes * entry["iteration"], 3),
            "validation_accuracy": round(entry["validation_accuracy"], 3),
        }
        for entry in run.metrics()
        if "validation_accuracy" in entry
    ]


def seconds_a_step(steps: Sequence[Mapping[str, Any]], period: int = 1) -> float:
    """Seconds of a step as they mostly are: a sum would count compiling, pauses and what else the machine did.

    Steps that read an encoder which is due at every so many iterations take longer than the others. The median is over whole periods,
    divided by their length, so that times the number of steps it is what a run takes.

    Args:
        steps: Lines of ``metrics.jsonl``, each with iteration (from 1) and seconds.
        period: Iterations after which the encoders' turns repeat.

    Example:
        >>> seconds_a_step([{"iteration": 1, "seconds": 60.0}, *({"iteration": i, "seconds": 1 + i % 2} for i in range(2, 9))], 2)
        1.5
    """
    periods: dict[int, list[float]] = {}
    for step in steps:
        periods.setdefault((step["iteration"] - 1) // period, []).append(step["seconds"])
    whole = [seconds for seconds in periods.values() if len(seconds) == period]
    return median(fmean(seconds) for seconds in whole or periods.values())


def _seconds(run: Run) -> float:
    encoders = _encoders((run.config() or {})["method"]).values()
    period = math.lcm(*(encoder.get("every", 1) for encoder in encoders))
    return seconds_a_step([entry for entry in run.metrics() if "seconds" in entry], period)


def _line(experiment: Experiment, row: Row, folder: Path) -> dict[str, Any]:
    evaluation = json.loads((folder / "evaluation.json").read_text())
    run = Run(folder)
    config, seconds = run.config() or {}, _seconds(run)
    method = config["method"]
    return {
        "method": row.name,
        "preset": row.preset or experiment.preset,
        "data": experiment.data,
        "ipc": experiment.ipc,
        "network": evaluation["protocol"]["network"],
        "accuracy": round(evaluation["accuracy"], 2),
        "std": round(evaluation["std"], 2),
        "interval95": None if evaluation["interval95"] is None else round(evaluation["interval95"], 2),
        "n": evaluation["n"],
        "images": experiment.ipc * len(evaluation["class_names"]),
        "trained_on": evaluation.get("trained_on") or experiment.ipc * len(evaluation["class_names"]),
        "paper": row.paper,
        "split": evaluation["split"],
        "iterations": config["iterations"],
        "train": config["data"]["train"],
        "real_batch": method.get("real_batch", "none"),
        "pixels": _pixels(method),
        "terms": "; ".join(_term(name, term) for name, term in method.get("terms", {}).items()) or "none",
        "networks": "; ".join(_encoder(name, encoder, config.get("encoders", {})) for name, encoder in _encoders(method).items()) or "none",
        "epochs": evaluation["protocol"]["epochs"],
        "augment": evaluation["protocol"]["augment"],
        "run_seed": config["seed"],
        "evaluation_seeds": f"{evaluation['seed']}/0..{evaluation['n'] - 1}",
        "seconds_per_iteration": round(seconds, 3),
        "minutes": round(seconds * config["iterations"] / 60, 2),
        "teacher_minutes": _minutes(evaluation["made_by"].get("pretraining_seconds")),
        "precision": config["engine"]["precision"],
        "commit": ", ".join(run.commits()),
        "evaluation_commit": evaluation["made_by"]["commit"],
        "log": f"{row.name}/metrics.jsonl",
    }


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 60, 2)


def _encoders(method: Mapping[str, Any]) -> dict[str, Any]:
    """The encoders of a method by name; the network that a selection goes by is a pool of one."""
    return method.get("encoders", {}) or ({"pretrained": {"count": 1, **method}} if "recipe" in method else {})


def _term(name: str, term: dict[str, Any]) -> str:
    return f"{name} " + " ".join(f"{key}={value}" for key, value in term.items() if key != "class")


def _pixels(method: Mapping[str, Any]) -> str:
    """How the pixels move, and what an image stands for, where it is not one."""
    if "learning_rate" not in method:
        return "of real images"
    found = [f"rate {method['learning_rate']}", f"momentum {method['momentum']}"]
    found += [f"{name} {method[name]}" for name in ("averaging", "factor", "views") if method.get(name, 1) not in (0, 1)]
    return ", ".join([*found, *(["by class"] if method.get("by_class") else [])])


def _encoder(name: str, encoder: Mapping[str, Any], checksums: Mapping[str, str]) -> str:
    """An encoder with every number that is not its default's, and which pretrained networks it read."""
    if "recipe" in encoder:
        read = ", ".join(checksums[key][:8] for key in sorted(checksums) if key.startswith(f"{name} "))
        described = f"{encoder['count']} x {encoder['network']}, {encoder['recipe']['epochs']} epochs" + (f" ({read})" if read else "")
    else:
        kind = encoder["class"].rpartition(".")[2]
        numbers = ("push_every", "trained", "steps", "judged", "passes", "query")
        described = " ".join([kind, encoder["network"], *(f"{key}={encoder[key]}" for key in numbers if key in encoder)])
    rarely = [f"{key}={encoder[key]}" for key, usual in (("every", 1), ("most", 0)) if encoder.get(key, usual) != usual]
    return f"{name}: {' '.join([described, *rarely])}"
