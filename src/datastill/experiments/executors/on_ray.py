"""Cells on a Ray cluster, or on a Ray of this machine alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from datastill.errors import UserError
from datastill.experiments.executors.pool import LostError, OnCluster, log_into, spread
from datastill.experiments.executors.queue import PAUSE
from datastill.experiments.performing import Outcome, Task, perform
from datastill.files import reason
from datastill.logs import logger

log = logger(__name__)

KEEPING = 60.0
"""Seconds that cells have to keep what they have when all are stopped."""
PASSED_ON = "DATASTILL_"
"""How variables of the environment begin that cells get as well, such as where data is."""


@dataclass(frozen=True)
class OnRay(OnCluster):
    """Runs cells as tasks of Ray, each with resources of its own.

    Where Ray is connected already, that connection is used and kept. A worker or a machine that is gone loses its cell's time since the
    last checkpoint: another worker continues it. Results and runs must be in folders that all machines see under the same names.

    Args:
        place: How many cells at a time, by default all that there is room for; cores of each, by default 1; GPUs of each; the cluster.

    Raises:
        UserError: If Ray is not installed, or something else was given.
    """

    def __post_init__(self) -> None:
        self.place.only("ray", "cpus", "gpus", "address")
        _ray()

    def __call__(self, tasks: Iterable[Task]) -> Generator[Outcome]:
        """Run tasks.

        Raises:
            UserError: If the cluster cannot be reached, or has no machine with what a cell needs.
        """
        ray = _ray()
        before = ray.is_initialized()
        if not before:
            _connect(ray, self.place.address)
        try:
            cpus = self.cores
            room = _room(ray, cpus, self.place.gpus)
            yield from spread(tasks, _Tasks(ray, cpus, self.place.gpus), self.place.workers or room)
        finally:
            if not before:
                ray.shutdown()


class _Tasks:
    """A pool of Ray's tasks; a job is the reference to its outcome."""

    def __init__(self, ray: Any, cpus: int, gpus: float) -> None:
        self._ray = ray
        here = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0, runtime_env={"env_vars": here})(_perform)
        self._begin: Callable[[Task], Any] = lambda task: remote.remote(task, str(Path.cwd()), cpus)

    def submit(self, task: Task) -> Any:
        return self._begin(Task(task.cell, task.results.absolute(), task.runs.absolute()))

    def finished(self, jobs: Sequence[Any]) -> list[Any]:
        if not jobs:
            time.sleep(PAUSE / 4)
            return []
        done: list[Any] = self._ray.wait(list(jobs), num_returns=1, timeout=PAUSE / 4, fetch_local=False)[0]
        return done

    def outcome(self, job: Any) -> Outcome:
        try:
            found: Outcome = self._ray.get(job)
        except self._ray.exceptions.RayError as error:
            raise LostError(f"ended: {type(error).__name__}, {reason(error)}") from error
        return found

    def stop(self, jobs: Sequence[Any]) -> None:
        for job in jobs:
            self._ray.cancel(job)
        if jobs:
            self._ray.wait(list(jobs), num_returns=len(jobs), timeout=KEEPING, fetch_local=False)


def _perform(task: Task, folder: str, cpus: int) -> Outcome:
    """Run a task in one of Ray's processes, in the folder where the command was given."""
    import torch

    if Path(folder).is_dir():
        os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # by which Ray asks to stop, and which lets a run keep what it has
    torch.set_num_threads(cpus)
    log_into(task)
    return perform(task)


def _ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what it will do by default
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise UserError("`executor=ray` needs the package ray: pip install 'datastill[ray]'") from error
    found: ModuleType = ray
    return found


def _connect(ray: ModuleType, address: str) -> None:
    """Connect to a cluster, or start one on this machine that listens to nobody else."""
    said = address or os.environ.get("RAY_ADDRESS", "")
    alone = {} if said else {"num_cpus": _cores(), "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(address=said or "local", log_to_driver=False, logging_level="error", **alone)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise UserError(
            f"no Ray cluster can be used at '{said or 'this machine'}' ({reason(error)}): give the HOST:PORT that `ray start` printed"
        ) from error
    log.info("Ray: %d cores, %g GPUs", ray.cluster_resources().get("CPU", 0), ray.cluster_resources().get("GPU", 0))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _room(ray: ModuleType, cpus: int, gpus: float) -> int:
    """How many cells there is room for at a time."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(
        min(int(machine.get("CPU", 0) // cpus), int(machine.get("GPU", 0) / gpus) if gpus else machine.get("CPU", 0))
        for machine in machines
    )
    if room < 1:
        largest = max((f"{machine.get('CPU', 0):g} cores and {machine.get('GPU', 0):g} GPUs" for machine in machines), default="nothing")
        raise UserError(f"no machine of the cluster has the {cpus} cores and {gpus:g} GPUs that a cell needs, one has {largest}")
    return int(room)
