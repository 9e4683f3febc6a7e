"""What a run would take, measured on a few steps, with nothing trained, run or written."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import datastill
from datastill import Protocol, UserError
from datastill.data import DataSet, cache_folder
from datastill.engine import Engine
from datastill.engine.measuring import Forecast, nbytes, seconds_of
from datastill.kinds import Stepper
from datastill.runs.forecast import forecast_run
from datastill.runs.job import Job
from run_folders import Interrupted, method
from small_methods import opened, quick, small


def foreseen(data: DataSet, **options: Any) -> Forecast:
    job: dict[str, Any] = {"ipc": 2, "iterations": 40, "engine": Engine(), **options}
    return forecast_run(Job.of(data, job.pop("method", method()), **job))


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def fresh(tiny: DataSet) -> DataSet:
    """A data set of which no network is in the cache."""
    return replace(tiny, fingerprint="fedcba9876543210")


@pytest.mark.parametrize(("name", "trained"), [("dm", 0), ("dm+cc", 2), ("herding", 1), ("forgetting", 1), ("random", 0)])
def test_what_is_missing_is_named_and_neither_trained_nor_written(
    fresh: DataSet, name: str, trained: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path / "cache"))  # its own, as others write into theirs meanwhile
    found = foreseen(fresh, method=quick(name), out=tmp_path / "run")
    first = [part for part in found.parts if part.where]
    assert [part.what for part in first] == [
        f"first, convnet on the real images, 1 epochs{', 2 networks' if trained == 2 else ''}" for _ in range(min(trained, 1))
    ]
    assert all(part.seconds > 0 and part.kept > 0 for part in first)
    assert not files(cache_folder() / "networks")
    assert not (tmp_path / "run").exists()


def test_networks_in_the_cache_are_not_trained_again(tiny: DataSet) -> None:
    data = replace(tiny, fingerprint="0f0f0f0f0f0f0f0f")
    datastill.distill(data, method=small("dm+cc"), ipc=2, iterations=1, engine=Engine())
    assert [part.where for part in foreseen(data, method=small("dm+cc")).parts] == [""]


def slow(stepper: Stepper) -> None:
    time.sleep(0.3)


def test_the_time_is_that_of_steps_after_the_first(tiny: DataSet) -> None:
    assert foreseen(tiny, method=Interrupted("slow first", method(), 0, slow)).seconds < 40 * 0.3
    found = foreseen(tiny, method=Interrupted("slow", method(), 2, slow))
    assert found.parts[0].what.startswith("40 steps of 0.")
    assert found.seconds >= 40 * 0.15  # the median of two steps, one of which is slow
    assert found.compiling == 0


def test_steps_whose_lengths_repeat_are_measured_over_whole_periods() -> None:
    lengths = iter([0.0, 0.0, 0.0, 0.12, 0.0, 0.0])
    assert 0.04 <= seconds_of(lambda: time.sleep(next(lengths)), period=3) < 0.12


def test_steps_that_were_taken_do_not_count(tiny: DataSet, tmp_path: Path) -> None:
    datastill.distill(tiny, method=method(), ipc=2, iterations=30, engine=Engine(), out=tmp_path)
    before = {path: path.read_bytes() for path in files(tmp_path)}
    found = foreseen(tiny, out=tmp_path, resume=True)
    assert found.title == "dm+cm on tiny, IPC 2, 40 iterations, 30 of them done"
    assert found.parts[0].what.startswith("10 steps of")
    assert {path: path.read_bytes() for path in files(tmp_path)} == before


def test_validations_take_their_time_and_their_place(tiny: DataSet) -> None:
    found = foreseen(tiny, validate_at=[0, 20, 40], protocol=Protocol(epochs=5))
    assert [part.what for part in found.parts[1:]] == ["3 x convnet on 6 images, 5 epochs, validation split"]
    assert found.parts[1].kept == 3 * 6 * 3 * 8 * 8 * 4
    assert found.parts[1].seconds > 0
    parts = foreseen(tiny, method=small("idm"), validate_at=[0], protocol=Protocol(epochs=5)).parts
    assert parts[1].what == "1 x convnet on 24 images, 5 epochs, validation split"  # each image has four parts


@pytest.mark.parametrize("name", ["dm", "idm", "cafe"])
def test_the_size_of_a_later_checkpoint_is_known(tiny: DataSet, name: str) -> None:
    stepper = opened(small(name, averaging=0.5), tiny)
    early = stepper.state_bytes(6)
    for iteration in range(6):
        stepper.step(iteration)
    assert stepper.state_bytes(6) == nbytes(list(stepper.state().values()))
    assert early == pytest.approx(stepper.state_bytes(6), rel=0.5)


def test_what_a_run_refuses_is_refused(tiny: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="validation at iteration 90 is not within"):
        foreseen(tiny, validate_at=[90])
    with pytest.raises(UserError, match="needs at least 2 images per class"):
        foreseen(tiny, ipc=1)
    datastill.distill(tiny, method=method(), ipc=2, iterations=1, engine=Engine(), out=tmp_path)
    with pytest.raises(UserError, match="already holds a run"):
        foreseen(tiny, out=tmp_path)
