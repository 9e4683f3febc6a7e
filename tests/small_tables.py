"""A small table and a small figure for executors, run in processes that may be killed."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datastill.engine.policy import Policy
from datastill.evaluation import Protocol
from datastill.experiments import Block, ContinualExperiment, ContinualRow, Experiment, Row, run_experiment
from datastill.experiments.executors import Local
from datastill.experiments.performing import Executor
from datastill.experiments.specification import Specifications
from datastill.report.results import write

POLICY = Policy("fp32", compile=False)
TABLE = Experiment(
    "A table",
    (Block("digits[0-2]", (2,), 12, seeds=(0, 1), settings=("real_batch=8",), repeats=1, epochs=3),),
    (Row("random", inherits=False, iterations=0), Row("dm"), Row("dm", label="again", of="table/dm")),
    policy=POLICY,
)
FIGURE = ContinualExperiment(
    "A figure", "digits[0-3]", (2,), (ContinualRow("dm", settings=("real_batch=8",)),), 4, ipc=2, seeds=(0,), repeats=1,
    protocol=Protocol(epochs=3), policy=POLICY,
)  # fmt: skip
SPECIFICATIONS: Specifications = {"table": TABLE, "figure": FIGURE}
FORKED = Local(2, start="fork")
"""From a process that has imported everything and computes in one thread, a fork is safe and quick."""


def run(name: str, folder: Path, executor: Executor | None = FORKED, experiments: Specifications = SPECIFICATIONS) -> None:
    run_experiment(name, results=folder / "results", runs=folder / "runs", recorded=write, experiments=experiments, executor=executor)


def records(folder: Path) -> dict[str, Any]:
    """All records by their place, without times and checksums."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: timeless(each) for key, each in value.items() if not key.endswith(("seconds", "seconds_per_step", "checksum"))}
        return [timeless(each) for each in value] if isinstance(value, list) else value

    found = {str(path.parent.relative_to(folder)): path for path in (folder / "results").rglob("record.json")}
    return {place: json.dumps(timeless(json.loads(path.read_bytes()))) for place, path in sorted(found.items())}


def driver(name: str, folder: Path, executor: Executor = FORKED) -> Any:
    """A process that runs an experiment."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(name, folder, executor))
    process.start()
    return process


def children(process: int | None) -> list[int]:
    """The processes that a process has started and that still are."""
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def gone(processes: Sequence[int]) -> None:
    """Wait until processes have ended."""
    while any(Path(f"/proc/{process}").exists() for process in processes):
        time.sleep(0.02)
