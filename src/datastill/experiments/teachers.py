"""Running one cell of an experiment on teachers: train in a folder of its own, record."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from datastill import provenance
from datastill.configuration import describe
from datastill.data import DataSet, load
from datastill.encoders import pretrain
from datastill.engine import Engine
from datastill.experiments.cell import TeacherCell
from datastill.experiments.record import Maker, TeacherRecord
from datastill.experiments.stored import write_record
from datastill.files import leased, remove_leftovers, write_atomic
from datastill.networks import Network, build
from datastill.runs import Run
from datastill.runs.metrics import line
from datastill.teachers.pool import batch_size, found, half_size_epochs, pretraining_cost


def run_teacher(cell: TeacherCell, *, results: Path, runs: Path, read: Callable[[str], DataSet] = load) -> TeacherRecord:
    """Train the network of a cell into the run's own folder, so that no trained network is found and no shared pool is touched.

    Args:
        cell: What to do.
        results: Where the record goes, into the folder of the cell's name, with a log of one line per epoch.
        runs: Where the run is kept, and continued from.
        read: Loads the data set.

    Raises:
        UserError: If another process is at work on the cell, or nothing can be written there.
    """
    with leased(runs / cell.name, f"the cell {cell.name}"):
        return _run(cell, results, runs, read)


def _run(cell: TeacherCell, results: Path, runs: Path, read: Callable[[str], DataSet]) -> TeacherRecord:
    data, run, target = read(cell.data), runs / cell.name, results / cell.name
    network, kept = build(cell.network, channels=data.channels, classes=data.classes, size=data.size), Run(run)
    begun = kept.config()
    engine = _engine(cell, pretraining_cost(data, network, cell.recipe), begun or {})
    with contextlib.closing(kept):
        if begun is None or not found(data, cell.network, 1, cell.recipe, cache=run):
            kept.begin(_describe(cell, network, data, engine), resume=begun is not None)
        (trained,) = pretrain(data, cell.network, 1, cell.recipe, engine, cache=run)
    config = kept.config() or {}
    record = TeacherRecord(
        cell=cell,
        train=len(data.train),
        held_out=len(data.validation),
        batch=config["batch"],
        half_size_epochs=config["half_size_epochs"],
        cost=config["operations"],
        curve=trained.curve,
        trained_by=Maker.of(config["engine"], config["made_by"]["machine"], tuple(kept.commits())),
    )
    remove_leftovers(target)
    write_atomic(target / "config.yaml", (run / "config.yaml").read_bytes())
    lines = [{"iteration": number, **epoch._asdict()} for number, epoch in enumerate(trained.curve, 1)]
    write_atomic(target / "metrics.jsonl", "".join(map(line, lines)))
    write_record(record, target)
    return record


def _engine(cell: TeacherCell, cost: float, begun: Mapping[str, Any]) -> Engine:
    """What the policy asks for, or what a run was started with; fixed from then on, so that the record says how the network is trained."""
    engine = Engine.choose(precision=cell.policy.precision, compile=cell.policy.compile, cost=cost)
    recorded = begun.get("engine")
    return replace(engine.as_recorded(recorded) if isinstance(recorded, Mapping) else engine, asked=None)


def _describe(cell: TeacherCell, network: Network, data: DataSet, engine: Engine) -> dict[str, Any]:
    return {
        "data": data.describe(),
        "network": cell.network,
        "recipe": describe(cell.recipe),
        "half_size_epochs": half_size_epochs(data, network, cell.recipe),
        "batch": batch_size(data, cell.recipe),
        "seed": 0,
        "engine": engine.describe(),
        "operations": pretraining_cost(data, network, cell.recipe),
        "made_by": provenance.made_by(),
    }
