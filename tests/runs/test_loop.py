from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor

from datastill.data import DataSet
from datastill.kinds.distribution_matching import MatchingStepper
from datastill.runs import Run
from run_folders import run


@pytest.mark.parametrize(
    ("checkpoint_seconds", "cost", "expected"),
    [
        (3, 0.5, [3, 13, 23, 33, 40]),  # twenty times half a second after the one before
        (3, 0.125, [*range(3, 40, 3), 40]),  # cheap ones as often as asked for
        (15, 0.5, [15, 30, 40]),
        (0, 0.5, list(range(1, 41))),  # after every iteration, whatever they cost
    ],
)
def test_checkpoints_take_a_twentieth_of_the_time_at_most(
    tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint_seconds: float, cost: float, expected: list[int]
) -> None:
    now, written = 0.0, []

    def stepped(stepper: MatchingStepper, iteration: int) -> dict[str, float]:
        nonlocal now
        now += 1
        return {"loss": 1.0}

    def checkpointed(folder: Run, iteration: int, state: dict[str, Tensor]) -> None:
        nonlocal now
        now += cost
        written.append(iteration)

    monkeypatch.setattr(MatchingStepper, "step", stepped)
    monkeypatch.setattr(Run, "checkpoint", checkpointed)
    monkeypatch.setattr("time.monotonic", lambda: now)
    run(tiny, tmp_path / "run", 40, checkpoint_seconds=checkpoint_seconds)
    assert written == expected
