"""The driver of an experiment or one of its workers is killed: the records are those of an uninterrupted run, but for times."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from datastill.experiments.executors import OnRay, Place
from datastill.experiments.performing import Executor
from faults.campaign import Campaign, Outcome
from raylets import Raylets
from small_tables import FORKED, children, driver, interrupted, records, run

NAME = "table"


@cache
def straight() -> dict[str, Any]:
    """The records of a run in one process, without an interruption."""
    with tempfile.TemporaryDirectory(prefix="datastill-fault-") as folder:
        run(NAME, Path(folder), None)
        return records(Path(folder))


USUAL = dict[type, float]()
"""Seconds of a run without an interruption, by executor."""


def usual(executor: Executor) -> float:
    """How long a run takes that nothing interrupts; looks at its records too."""
    if type(executor) not in USUAL:
        with tempfile.TemporaryDirectory(prefix="datastill-fault-") as folder:
            began = time.monotonic()
            process = driver(NAME, Path(folder), executor)
            process.join()
            if process.exitcode or records(Path(folder)) != straight():
                raise RuntimeError("a run without an interruption does not give the records")
            USUAL[type(executor)] = time.monotonic() - began
    return USUAL[type(executor)]


def _trial(seed: int, folder: Path, executor: Executor, kills: Sequence[Callable[[], bool]] = ()) -> Outcome:
    chance = random.Random(seed)
    hit = interrupted(NAME, folder, executor, chance.uniform(0, usual(executor)), chance, kills)
    if records(folder) != straight():
        return Outcome.WRONG
    return Outcome.RESUMED if hit else Outcome.UNCHANGED


def local(seed: int, folder: Path) -> Outcome:
    """Kill the driver or a worker of this machine."""

    def worker() -> bool:
        for command in children(os.getpid()):
            for process in children(command)[:1]:
                os.kill(process, 9)
                return True
        return False

    return _trial(seed, folder, FORKED, [worker])


def on_ray(seed: int, folder: Path) -> Outcome:
    """Kill the driver, a worker or a machine of a cluster of two."""
    with Raylets() as raylets:
        return _trial(seed, folder, OnRay(Place(address=raylets.address)), [raylets.kill_worker, raylets.kill_machine])


CAMPAIGNS = (
    Campaign("cells-local", "the driver of an experiment or one of its processes is killed", local, short=0, long=10, seconds=600),
    Campaign("cells-ray", "the driver of an experiment on Ray, a worker or a machine is killed", on_ray, short=0, long=10, seconds=1200),
)
