"""Settings that a run does not use neither stop it from going on nor get lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors
from datastill.runs import Run
from datastill.runs.folder import MARKED_BEFORE, _identity

PROTOCOL: dict[str, Any] = {"network": "convnet", "epochs": 1000}
STATE = {"pixels": torch.ones(2)}


def configuration(iterations: list[int], **changes: Any) -> dict[str, Any]:
    return {"method": {"name": "dm"}, "ipc": 2, "iterations": 40, "validate_at": {"iterations": iterations, **PROTOCOL, **changes}}


def begun(folder: Path, config: dict[str, Any], validated: tuple[int, ...] = ()) -> Run:
    run = Run(folder)
    run.begin(config, resume=False)
    for iteration in validated:
        run.record({"iteration": iteration, "validation_accuracy": 50.0})
    run.checkpoint(10, STATE)
    run.close()
    return Run(folder)


def test_the_protocol_of_validations_that_are_not_made_need_not_agree(tmp_path: Path) -> None:
    run = begun(tmp_path, configuration([], epochs=5))
    assert run.begin(configuration([]), resume=True)[0] == 10
    assert (run.config() or {})["validate_at"] == {"iterations": [], "network": "convnet", "epochs": 5}


def test_a_run_that_never_validated_may_begin_to_in_any_way(tmp_path: Path) -> None:
    run = begun(tmp_path, configuration([], epochs=5))
    asked = configuration([20], network="vgg11")
    assert run.begin(asked, resume=True)[0] == 10
    assert run.config() == {**asked, "encoders": {}}


def test_the_protocol_of_validations_that_were_made_stays(tmp_path: Path) -> None:
    run = begun(tmp_path, configuration([0], epochs=5), validated=(0,))
    run.begin(configuration([]), resume=True)
    with pytest.raises(UserError, match=r"validate_at.epochs was 5, is 1000"):
        run.begin(configuration([0, 20]), resume=True)
    assert run.begin(configuration([0, 20], epochs=5), resume=True)[0] == 10


def test_checkpoints_that_were_marked_with_a_protocol_are_still_found(tmp_path: Path) -> None:
    config = configuration([], epochs=5)
    run = begun(tmp_path, config)
    (checkpoint,) = (tmp_path / "checkpoint").iterdir()
    earlier = _identity(config, MARKED_BEFORE)
    assert earlier != load_tensors(checkpoint)[1]["configuration"]
    save_tensors(checkpoint, STATE, {"iteration": "10", "configuration": earlier})
    assert run.begin(configuration([20]), resume=True)[0] == 10
