"""The training of a teacher, stopped with Ctrl-C in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from datastill.data import DataSet
from datastill.encoders import Snapshots, TrainingRecipe, pretrain
from datastill.engine import Engine, hardware
from datastill.files import load_tensors
from datastill.teachers.history import history_path, training_history
from datastill.teachers.trajectories import trajectories
from doubles import Training

RECIPE = TrainingRecipe(epochs=3, learning_rate=0.01)
"""Three epochs of two steps with 36 images."""


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_no_step_of_a_network_is_taken_twice(tiny: DataSet, tmp_path: Path, training: Training, step: int) -> None:
    (straight,) = pretrain(tiny, "convnet", 1, RECIPE, Engine(), cache=tmp_path / "straight")
    training.forget()
    training.interrupt_at = step
    with pytest.raises(KeyboardInterrupt):
        pretrain(tiny, "convnet", 1, RECIPE, Engine(), cache=tmp_path / "stopped")
    (found,) = pretrain(tiny, "convnet", 1, RECIPE, Engine(), cache=tmp_path / "stopped")
    assert len(training.sizes) == 6
    weights, expected = (load_tensors(network.path)[0] for network in (found, straight))
    assert all(torch.equal(weights[name], value) for name, value in expected.items())
    assert weights.keys() == expected.keys()
    assert [epoch[1:] for epoch in found.curve] == [epoch[1:] for epoch in straight.curve]  # all but the seconds
    assert all(one.seconds <= other.seconds for one, other in zip(found.curve, found.curve[1:], strict=False))
    assert not list(found.path.parent.glob("*partial*"))


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_no_step_of_a_history_is_taken_twice(tiny: DataSet, tmp_path: Path, training: Training, step: int) -> None:
    straight = training_history(tiny, "convnet", RECIPE, Engine(), cache=tmp_path / "straight")
    training.forget()
    training.interrupt_at = step
    with pytest.raises(KeyboardInterrupt):
        training_history(tiny, "convnet", RECIPE, Engine(), cache=tmp_path / "stopped")
    assert torch.equal(training_history(tiny, "convnet", RECIPE, Engine(), cache=tmp_path / "stopped"), straight)
    assert len(training.sizes) == 6
    assert [path.name for path in history_path(tiny, "convnet", RECIPE, tmp_path / "stopped").parent.iterdir()] == ["history.safetensors"]


def _network(data: DataSet, engine: Engine, cache: Path) -> object:
    return pretrain(data, "convnet", 1, RECIPE, engine, cache=cache)


def _history(data: DataSet, engine: Engine, cache: Path) -> object:
    return training_history(data, "convnet", RECIPE, engine, cache=cache)


def _trajectory(data: DataSet, engine: Engine, cache: Path) -> object:
    return trajectories(data, "convnet", 1, RECIPE, Snapshots(), engine, cache=cache)


@pytest.mark.parametrize("train", [_network, _history, _trajectory])
def test_it_goes_on_as_it_was_begun_where_another_engine_would_be_chosen_now(
    tiny: DataSet, tmp_path: Path, training: Training, train: Callable[[DataSet, Engine, Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an update that brings other kernels, or on a processor with another cache."""
    chosen = Engine.choose(device="cpu", compile=False)
    training.interrupt_at = 3
    with pytest.raises(KeyboardInterrupt):
        train(tiny, chosen, tmp_path)
    monkeypatch.setattr(hardware, "in_flight", lambda device: chosen.in_flight // 2)
    other = Engine.choose(device="cpu", compile=False)
    assert other.describe() != chosen.describe()
    training.interrupt_at = None
    train(tiny, other, tmp_path)
    assert len(training.sizes) == 6
