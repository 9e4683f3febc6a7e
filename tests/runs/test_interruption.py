"""A run in a process of the caller's own, stopped with Ctrl-C."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import datastill
from datastill import DistilledSet
from datastill.data import DataSet
from datastill.evaluation import Protocol
from datastill.kinds import Stepper
from datastill.runs import Run
from doubles import Training
from run_folders import interrupted, method

OPTIONS: dict[str, Any] = {"ipc": 2, "iterations": 6, "seed": 3}


def run(data: DataSet, out: Path | None = None, *, ctrl_c_at: int | None = None, **options: Any) -> DistilledSet:
    """A run, with Ctrl-C in the middle of a step."""
    chosen = method() if ctrl_c_at is None else interrupted(method(), ctrl_c_at, press_ctrl_c)
    return datastill.distill(data, method=chosen, out=out, **OPTIONS, **options)


def press_ctrl_c(stepper: Stepper) -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("call", [1, 3, 5])
def test_ctrl_c_keeps_the_step_it_comes_in(tiny: DataSet, tmp_path: Path, call: int) -> None:
    straight = run(tiny)
    with pytest.raises(KeyboardInterrupt):
        run(tiny, tmp_path / "run", ctrl_c_at=call, checkpoint_seconds=1000)
    kept = Run(tmp_path / "run")
    assert [path.stem for path in (kept.folder / "checkpoint").iterdir()] == [f"{call + 1:08d}"]
    assert [entry["iteration"] for entry in kept.metrics()] == list(range(1, call + 2))
    assert not (kept.folder / "distilled").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert torch.equal(run(tiny, kept.folder, resume=True).images, straight.images)


def test_ctrl_c_in_the_first_step_stops_at_once(tiny: DataSet, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tiny, tmp_path / "run", ctrl_c_at=0)
    assert not (tmp_path / "run" / "checkpoint").exists()
    assert torch.equal(run(tiny, tmp_path / "run", resume=True).images, run(tiny).images)


def test_a_validation_does_not_have_to_end(tiny: DataSet, tmp_path: Path, training: Training) -> None:
    options: dict[str, Any] = {"validate_at": [2], "validation_protocol": Protocol(epochs=50), "checkpoint_seconds": 1000}
    training.interrupt_at = 7
    with pytest.raises(KeyboardInterrupt):
        run(tiny, tmp_path / "run", **options)
    training.forget()
    kept = Run(tmp_path / "run")
    assert [path.stem for path in (kept.folder / "checkpoint").iterdir()] == ["00000002"]
    assert not [entry for entry in kept.metrics() if "validation_accuracy" in entry]
    whole = run(tiny, tmp_path / "whole", **options)
    assert torch.equal(run(tiny, kept.folder, resume=True, **options).images, whole.images)
    found = [[entry["validation_accuracy"] for entry in each.metrics() if "validation_accuracy" in entry] for each in
             (kept, Run(tmp_path / "whole"))]  # fmt: skip
    assert found[0] == found[1]
    assert len(found[0]) == 1


def test_a_handler_of_the_caller_that_only_notes_the_signal_does_not_stop_a_run(tiny: DataSet, tmp_path: Path) -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        stopped = run(tiny, tmp_path / "run", ctrl_c_at=2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert came == [signal.SIGINT]
    assert replace(stopped.origin, version="") == replace(run(tiny).origin, version="")
