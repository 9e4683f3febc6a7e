"""Targets that do not fit the terms and classes are told and computed again, even with the right checksum."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.files import load_tensors, save_tensors
from small_methods import opened, small

Change = Callable[[dict[str, Tensor]], dict[str, Tensor]]
CHANGES: dict[str, Change] = {
    "fewer classes": lambda tensors: {name: value[:1] for name, value in tensors.items()},  # would be broadcast
    "another term": lambda tensors: {f"x{name}": value for name, value in tensors.items()},
    "one more term": lambda tensors: {**tensors, "cm/covariance": torch.zeros(3, 2, 2)},
    "nothing": lambda tensors: {},
    "not finite": lambda tensors: {name: value / 0 for name, value in tensors.items()},
    "a scalar": lambda tensors: {name: value.sum() for name, value in tensors.items()},
    "another name": lambda tensors: {f"{name}x": value for name, value in tensors.items()},
    "another type": lambda tensors: {name: value.bool() for name, value in tensors.items()},
    "fewer features": lambda tensors: {name: value[:, :1] for name, value in tensors.items()},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_does_not_fit_is_computed_again(
    tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, change: Change
) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path))
    composed = small("dm", "matching.count=1", "matching.targets=1")
    straight = opened(composed, tiny)
    straight.step(0)
    (path,) = (tmp_path / "targets").glob("*.safetensors")
    tensors, text = load_tensors(path)
    assert json.loads(text["made_of"])["terms"]
    save_tensors(path, change(tensors), text)
    again = opened(composed, tiny)
    with caplog.at_level(logging.WARNING):
        again.step(0)
    assert "they will be computed again" in caplog.text
    assert torch.equal(again.images(), straight.images())
    assert set(load_tensors(path)[0]) == set(tensors)
