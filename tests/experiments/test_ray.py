"""Cells on a cluster of two raylets, each with one core: what is killed costs time, and the records stay the same."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from datastill.experiments import Block, Experiment, Row
from datastill.experiments.executors import OnRay, Place
from datastill.experiments.specification import Specifications
from small_tables import FIGURE, POLICY, children, records, run

pytest.importorskip("ray", reason="needs Ray: pip install 'datastill[ray]'")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes under /proc"),
    pytest.mark.filterwarnings("ignore:.*(unclosed|Tip. In future versions of Ray):"),
]

TABLE = Experiment(
    "A table for a cluster",
    (Block("digits[0-2]", (1,), 80, seeds=(0, 1, 2), settings=("real_batch=8",), repeats=1, epochs=20),),
    (Row("dm"),),
    policy=POLICY,
)
SPECIFICATIONS: Specifications = {"table": TABLE, "figure": FIGURE}
MEMORY = 80 * 2**20
"""Bytes of each raylet's object store, the least that Ray takes."""
KILLS = {"driver": 3, "worker": 5, "raylet": 2}
PATIENCE = 300.0
"""Seconds after which a cluster that does nothing has failed."""


@dataclass(frozen=True)
class Raylets:
    """A cluster of this machine, of which processes can be killed."""

    cluster: Any

    @property
    def executor(self) -> OnRay:
        return OnRay(Place(address=self.cluster.address))

    def add(self) -> None:
        self.cluster.add_node(num_cpus=1, object_store_memory=MEMORY, include_dashboard=False)

    def working(self) -> list[tuple[int, int]]:
        """The workers that run a cell, each with its raylet."""
        return [(raylet, child) for raylet in self.raylets() for child in children(raylet) if b"_perform" in _command(child)]

    def raylets(self) -> list[int]:
        return [started.process.pid for node in self.cluster.list_all_nodes() for started in node.all_processes["raylet"]]

    def kill_raylet(self) -> None:
        """Kill the one that is not beside the cluster's store of what there is, and add another."""
        node = next(iter(self.cluster.worker_nodes))
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)
        self.cluster.remove_node(node, allow_graceful=False)
        self.add()


def _command(process: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


@contextmanager
def raylets(number: int) -> Iterator[Raylets]:
    """A cluster; when it has ended, none of its processes is left."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 would leave cells no time beside other work
    found = Raylets(Cluster())
    try:
        for _ in range(number):
            found.add()
        yield found
    finally:
        started = [each.process.pid for node in found.cluster.list_all_nodes() for all in node.all_processes.values() for each in all]
        started += [child for process in started for child in children(process)]
        found.cluster.shutdown()
        _until(lambda: not any(_command(process) for process in started))


def _until(true: Any) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.02)


def driver(name: str, folder: Path, executor: OnRay) -> Any:
    """A process that gives the cells of an experiment to a cluster."""
    process = multiprocessing.get_context("spawn").Process(target=run, args=(name, folder, executor, SPECIFICATIONS))
    process.start()
    return process


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The records of runs in this process, without an interruption."""
    folder = tmp_path_factory.mktemp("straight")
    for name in SPECIFICATIONS:
        run(name, folder, None, SPECIFICATIONS)
    assert len(records(folder)) == 4
    return records(folder)


def test_after_ten_kills_of_driver_workers_and_raylets_the_records_are_those_of_an_uninterrupted_run(
    tmp_path: Path, straight: dict[str, Any]
) -> None:
    moments = random.Random(0)
    left = [what for what, number in KILLS.items() for _ in range(number)]
    moments.shuffle(left)
    with raylets(2) as cluster:
        for turn in range(sum(KILLS.values())):  # a table that is done before its kill is run again elsewhere
            folder = tmp_path / str(turn)
            while not _done(cluster, folder, moments, left):
                pass
            assert records(folder) == straight
            if not left:
                return
    raise AssertionError(f"these kills hit no cell: {left}")


def _done(cluster: Raylets, folder: Path, moments: random.Random, left: list[str]) -> bool:
    """Run both experiments, killing what is next to be killed at a random moment of a cell; whether they ended."""
    for name in SPECIFICATIONS:
        process = driver(name, folder, cluster.executor)
        while True:
            _until(lambda: cluster.working() or not process.is_alive())  # noqa: B023
            process.join(moments.uniform(0, 3))
            working = cluster.working()
            if not left or not working or not process.is_alive():
                break
            what = left.pop()
            print(f"{time.monotonic():.1f}: {what} of {name} is killed, while {len(working)} cells are under way")
            if what == "driver":
                process.kill()
                process.join()
                return False
            if what == "worker":
                os.kill(moments.choice(working)[1], signal.SIGKILL)
            else:
                cluster.kill_raylet()
        process.join(PATIENCE)
        assert process.exitcode == 0
    return True


def test_two_raylets_give_the_records_of_one(tmp_path: Path, straight: dict[str, Any]) -> None:
    expected = {place: record for place, record in straight.items() if "table" in place}
    for number in (1, 2):
        most = set[int]()
        with raylets(number) as cluster:
            began = time.monotonic()
            process = driver("table", tmp_path / str(number), cluster.executor)
            while process.is_alive():
                most = max(most, {raylet for raylet, _ in cluster.working()}, key=len)
                process.join(0.05)
            print(f"{number} raylets: {time.monotonic() - began:.1f} s")
        assert process.exitcode == 0
        assert records(tmp_path / str(number)) == expected
        assert len(most) == number
