"""A Ray cluster of several machines, which are processes here and may be killed."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from types import TracebackType
from typing import Any, Self

from small_tables import children

SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(16),  # for these machines alone, and not kept in the user's folder
    "RAY_memory_monitor_refresh_ms": "0",  # what else runs on the machine has no say
    "RAY_num_prestart_python_workers": "0",
    "RAY_agent_register_timeout_ms": "300000",  # a machine with much else to do starts processes slowly
    "RAY_worker_register_timeout_seconds": "300",
}
os.environ.update(SETTINGS)  # Ray reads them when it is imported


class Raylets:
    """A head without cores, and machines with one core each.

    Args:
        machines: How many.
    """

    def __init__(self, machines: int = 2) -> None:
        from ray.cluster_utils import Cluster

        self._folder = tempfile.mkdtemp(prefix="ray-")
        self._common: dict[str, Any] = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
        self._cluster: Any = Cluster(
            initialize_head=True, connect=False, head_node_args={**self._common, "num_cpus": 0, "temp_dir": self._folder}
        )
        self._machines = [self._new() for _ in range(machines)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cluster.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def address(self) -> str:
        """Of the cluster."""
        return str(self._cluster.address)

    def workers(self) -> list[int]:
        """The processes in which cells run at the moment."""
        raylets = [info.process.pid for machine in self._machines for info in machine.all_processes["raylet"]]
        return [child for raylet in raylets for child in children(raylet) if _title(child).startswith("ray::_perform")]

    def kill_machine(self) -> bool:
        """Kill the raylet of a machine, one that is at work if there is one; another machine comes in its place."""
        machine = max(self._machines, key=lambda each: any(_at_work(info.process.pid) for info in each.all_processes["raylet"]))
        self._machines.remove(machine)
        self._cluster.remove_node(machine, allow_graceful=False)
        self._machines.append(self._new())
        return True

    def _new(self) -> Any:
        return self._cluster.add_node(num_cpus=1, **self._common)


def _title(process: int) -> str:
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:  # noqa: PTH123
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _at_work(raylet: int) -> bool:
    return any(_title(child).startswith("ray::_perform") for child in children(raylet))
