"""From a specification to a table: distil, evaluate, write down, row after row, resumable."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from datastill import provenance
from datastill.data import DataSet, load
from datastill.distill import distill
from datastill.errors import unknown
from datastill.evaluate import Protocol, evaluate
from datastill.experiments.specification import EXPERIMENTS, Experiment, Row
from datastill.files import write_atomic
from datastill.methods import method
from datastill.report.curve import write_curves
from datastill.report.table import write_table
from datastill.run import Run

log = logging.getLogger(__name__)

KEPT = ("config.yaml", "metrics.jsonl")


def run_experiment(name: str, *, results: Path, runs: Path, only: Sequence[str] = ()) -> Path:
    """Run what is missing of an experiment and write its results.

    Args:
        name: One of `EXPERIMENTS`.
        results: Where the table, the curve and each row's log are written, in a folder of the experiment's name.
        runs: Where the runs are kept, and continued from.
        only: Rows to run, by name; by default all.

    Returns:
        The folder of the results.

    Raises:
        UserError: If there is no such experiment or row.
    """
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    experiment = EXPERIMENTS[name]
    names = [row.name for row in experiment.rows]
    for name_ in only:
        if name_ not in names:
            raise unknown("row", name_, names)
    data = load(experiment.data)
    folder = results / name
    for row in experiment.rows:
        if (not only or row.name in only) and not (folder / row.name / "evaluation.json").exists():
            _run(experiment, row, data, runs / name / row.name, folder / row.name, last=row == experiment.rows[-1])
            write(experiment, folder)
    write(experiment, folder)
    write_index(EXPERIMENTS, results)
    return folder


def _run(experiment: Experiment, row: Row, data: DataSet, run: Path, target: Path, *, last: bool) -> None:
    log.warning("experiment: %s", row.name)
    preset, settings = row.preset or experiment.preset, (*experiment.settings, *row.settings)
    composed = method(row.method, data=data.source, classes=data.classes, ipc=experiment.ipc, preset=preset, settings=settings)
    distilled = distill(  # a finished run takes no step, but is refused if it was made otherwise
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
    target.mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        shutil.copyfile(run / file, target / file)
    shutil.copyfile(run / "distilled" / "grid.png", target / "grid.png")
    compare = experiment.compare if last else ()
    evaluation = evaluate(distilled, repeats=experiment.repeats, seed=experiment.seed, data=data, compare=compare)
    made_by = {"commit": provenance.commit(), "machine": provenance.machine(), "preset": preset}
    content = {**evaluation.describe(), "made_by": {**made_by, "pretraining_seconds": composed.pretraining_seconds(data)}}
    write_atomic(target / "evaluation.json", json.dumps(content, indent=1) + "\n")


def write(experiment: Experiment, folder: Path) -> None:
    """Write ``table.csv``, ``curve.csv``, ``curve.png`` and ``README.md`` from the rows that are there."""
    table, curve = [], []
    for row in experiment.rows:
        if (folder / row.name / "evaluation.json").exists():
            table.append(_line(experiment, row, folder / row.name))
        if (folder / row.name / "metrics.jsonl").exists():  # a run's curve is there before its evaluation
            curve += _points(row.name, Run(folder / row.name))
    if not table:
        return
    write_atomic(folder / "table.csv", _csv(table))
    if curve:
        write_atomic(folder / "curve.csv", _csv(curve))
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
    encoders = (run.config() or {})["method"]["encoders"].values()
    period = math.lcm(*(encoder.get("every", 1) for encoder in encoders))
    return seconds_a_step([entry for entry in run.metrics() if "seconds" in entry], period)


def write_index(experiments: Mapping[str, Experiment], results: Path) -> None:
    """Write ``README.md`` in the folder of all results: a link for every experiment that has been run, and to the benchmarks."""
    lines = ["# Results", "", "Written by `datastill experiment NAME`; each page has protocol, seeds, n, commit and logs.", ""]
    lines += [
        f"- [{experiment.title}]({name}/README.md)" for name, experiment in experiments.items() if (results / name / "README.md").exists()
    ]
    if (results / "benchmarks" / "README.md").exists():
        lines.append("- [Speed](benchmarks/README.md), written by `make bench`")
    write_atomic(results / "README.md", "\n".join(lines) + "\n")


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
        "paper": row.paper,
        "split": evaluation["split"],
        "iterations": config["iterations"],
        "train": config["data"]["train"],
        "real_batch": method["real_batch"],
        "terms": "; ".join(_term(name, term) for name, term in method["terms"].items()),
        "encoder": _encoder(method["encoders"]),
        "epochs": evaluation["protocol"]["epochs"],
        "augment": evaluation["protocol"]["augment"],
        "run_seed": config["seed"],
        "evaluation_seeds": f"{evaluation['seed']}/0..{evaluation['n'] - 1}",
        "seconds_per_iteration": round(seconds, 3),
        "minutes": round(seconds * config["iterations"] / 60, 2),
        "teacher_minutes": _minutes(evaluation["made_by"].get("pretraining_seconds")),
        "precision": config["engine"]["precision"],
        "commit": ", ".join(dict.fromkeys(maker["commit"] for maker in (config["made_by"], *config.get("continued_by", [])))),
        "log": f"{row.name}/metrics.jsonl",
    }


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 60, 2)


def _term(name: str, term: dict[str, Any]) -> str:
    return f"{name} " + " ".join(f"{key}={value}" for key, value in term.items() if key != "class")


def _encoder(encoders: dict[str, Any]) -> str:
    pool = encoders.get("pretrained")
    return f"{pool['count']} x {pool['network']}, {pool['recipe']['epochs']} epochs" if pool else ""


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
