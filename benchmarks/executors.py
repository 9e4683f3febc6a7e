"""How long cells take in different places: ``python -m benchmarks.executors`` runs the same ones in each, and compares their records.

Places with one core for each cell must give the same records, byte for byte but for times. With Ray, clusters of one and of two raylets,
each of one core, stand for one and for two machines.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.executors_page import write_page
from datastill import provenance
from datastill.engine.policy import Policy
from datastill.experiments import Block, Experiment, Row, run_experiment
from datastill.experiments.executors import Local, OnRay, Place
from datastill.experiments.executors.local import shares
from datastill.experiments.performing import Executor
from datastill.files import check_folder, write_atomic

MEMORY = 80 * 2**20
"""Bytes of each raylet's object store, the least that Ray takes."""
TIMES = ("seconds", "seconds_per_step", "checksum")
"""How the names of values end that no two runs share."""


@dataclass(frozen=True)
class Where:
    """A place for cells.

    Attributes:
        words: What it is.
        cores: Of each cell.
        opened: Opens it, and gives what runs cells there.
    """

    words: str
    cores: int
    opened: Callable[[], AbstractContextManager[Executor]]


@contextmanager
def raylets(number: int) -> Iterator[Executor]:
    """A Ray cluster of raylets with one core each."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_worker_niceness", "0")
    cluster: Any = Cluster()
    try:
        for _ in range(number):
            cluster.add_node(num_cpus=1, object_store_memory=MEMORY, include_dashboard=False)
        yield OnRay(Place(address=cluster.address))
    finally:
        cluster.shutdown()


def places(*, ray: bool) -> list[Where]:
    """All places of this machine: one process with all cores, one for each core, and clusters of Ray."""
    cores = len(frozenset().union(*shares(1)))
    found = [
        Where("one process", cores, lambda: nullcontext(Local(1))),
        Where("one process a core", 1, lambda: nullcontext(Local(cores))),
    ]
    for number in (1, 2) if ray else ():
        words = "Ray, one raylet" if number == 1 else f"Ray, {number} raylets"
        found.append(Where(words, 1, lambda number=number: raylets(number)))  # type: ignore[misc]  # a default
    return found


def cells(data: str, number: int, iterations: int, epochs: int) -> Experiment:
    """A table of sets that differ in the seed.

    Args:
        data: In the grammar of `datastill.load`.
        number: Of sets.
        iterations: Steps of each.
        epochs: Of the network that is trained on each.
    """
    block = Block(data, (2,), iterations, seeds=tuple(range(number)), settings=("real_batch=32",), repeats=1, epochs=epochs)
    return Experiment("Cells", (block,), (Row("dm+cm"),), policy=Policy("fp32", compile=False))


def measured(where: Where, table: Experiment) -> tuple[dict[str, Any], dict[str, str]]:
    """Run all cells in a place; how long that took, and their records without times."""
    with tempfile.TemporaryDirectory() as folder, where.opened() as executor:
        results, began = Path(folder) / "results", time.perf_counter()
        run_experiment("cells", results=results, runs=Path(folder) / "runs", experiments={"cells": table}, executor=executor)
        took = time.perf_counter() - began
        records = {path.parent.name: _timeless(path) for path in sorted(results.rglob("record.json"))}
    return {"place": where.words, "cores": where.cores, "seconds": took}, records


def _timeless(path: Path) -> str:
    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without(each) for key, each in value.items() if not key.endswith(TIMES)}
        return [without(each) for each in value] if isinstance(value, list) else value

    return json.dumps(without(json.loads(path.read_bytes())))


def compared(found: list[tuple[dict[str, Any], dict[str, str]]]) -> list[dict[str, Any]]:
    """Say of every place whether its records are those of the first one with as many cores for a cell.

    Raises:
        RuntimeError: If they are not.
    """
    first: dict[int, dict[str, str]] = {}
    for row, records in found:
        if first.setdefault(row["cores"], records) != records:
            raise RuntimeError(f"{row['place']} gives other records than another place with as many cores a cell ({row['cores']})")
    return [row for row, _ in found]


def main() -> None:
    """Measure all places and write them down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.executors", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/executors"), help="where the figures and the page are written")
    parser.add_argument("--data", default="digits", help="what the cells distil")
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=300, help="of each cell")
    parser.add_argument("--epochs", type=int, default=300, help="of the network of each cell")
    parser.add_argument("--no-ray", action="store_true", help="leave Ray out")
    given = parser.parse_args()
    check_folder(given.out)
    table, found = cells(given.data, given.cells, given.iterations, given.epochs), []
    for where in places(ray=not given.no_ray):
        found.append(measured(where, table))
        print(f"{where.words}: {found[-1][0]['seconds']:.1f} s", flush=True)
    content = {
        "made_by": {"commit": provenance.commit(), "machine": provenance.machine()},
        "data": given.data, "cells": given.cells, "iterations": given.iterations, "epochs": given.epochs, "rows": compared(found),
    }  # fmt: skip
    write_atomic(given.out / "measurements.json", json.dumps(content, indent=1) + "\n")
    write_page(given.out)
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
