"""Cells on a Ray cluster of several machines, one of which is killed. That takes a minute, so it is not among the
other tests: ``pip install 'datastill[ray]' && pytest -m ray``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datastill.experiments.executors import OnRay, Place
from raylets import Raylets
from small_tables import driver, records, run

pytest.importorskip("ray", reason="needs Ray: pip install 'datastill[ray]'")
pytestmark = [pytest.mark.ray, pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes under /proc")]


@pytest.fixture(scope="module")
def raylets() -> Iterator[Raylets]:
    with Raylets() as found:
        yield found


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The records of a run in one process, without an interruption."""
    folder = tmp_path_factory.mktemp("straight")
    run("table", folder, None)
    assert len(records(folder)) == 6
    return records(folder)


def test_a_machine_that_is_killed_costs_no_record(tmp_path: Path, raylets: Raylets, straight: dict[str, Any]) -> None:
    process = driver("table", tmp_path, OnRay(Place(address=raylets.address)))
    while process.is_alive() and not raylets.workers():
        time.sleep(0.05)
    assert process.is_alive()
    raylets.kill_machine()
    process.join(200)
    assert process.exitcode == 0
    assert records(tmp_path) == straight
    assert "experiment: table/dm/seed0" in (tmp_path / "runs" / "table" / "dm" / "seed0.log").read_text()
