from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datastill.data import DataSet
from datastill.encoders import TrainingRecipe, pretrain
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import load_tensors
from datastill.teachers.history import history_path, history_seconds, training_history
from doubles import KilledError, Training

RECIPE = TrainingRecipe(epochs=3, learning_rate=0.01)


pytestmark = pytest.mark.usefixtures("cache")


def test_it_is_what_the_pretrained_network_took_its_batches_for(tiny: DataSet) -> None:
    history = training_history(tiny, "convnet", RECIPE, Engine())
    assert (history.shape, history.dtype) == ((3, 36), torch.int8)
    assert ((history >= 0).sum(1) == 32).all()  # two batches of 16 an epoch; four images fill no third
    assert set(history.flatten().tolist()) <= {-1, 0, 1}
    (member,) = pretrain(tiny, "convnet", 1, RECIPE, Engine())
    reached = [100 * int((epoch == 1).sum()) / 32 for epoch in history]
    assert [epoch.accuracy for epoch in member.curve] == pytest.approx(reached, abs=0.01)
    assert reached[-1] > reached[0]


def test_what_is_kept_is_read_and_belongs_to_data_and_recipe(tiny: DataSet, training: Training) -> None:
    assert history_seconds(tiny, "convnet", RECIPE) == 0
    history = training_history(tiny, "convnet", RECIPE, Engine())
    assert history_seconds(tiny, "convnet", RECIPE) > 0
    training.forget()
    assert torch.equal(training_history(tiny, "convnet", RECIPE, Engine()), history)
    assert not training.sizes
    others = [
        history_path(replace(tiny, fingerprint="other"), "convnet", RECIPE),
        history_path(tiny, "alexnet", RECIPE),
        history_path(tiny, "convnet", replace(RECIPE, augment=False)),
    ]
    assert len({history_path(tiny, "convnet", RECIPE), *others}) == 4
    assert not any(path.exists() for path in others)


@pytest.mark.parametrize("kill_at", [0, 3, 4])
def test_a_killed_one_goes_on_to_the_same_bits(tiny: DataSet, training: Training, tmp_path: Path, kill_at: int) -> None:
    straight = training_history(tiny, "convnet", RECIPE, Engine())
    other = tmp_path / "other"
    training.forget()
    training.kill_at = kill_at
    with pytest.raises(KilledError):
        training_history(tiny, "convnet", RECIPE, Engine(), cache=other)
    training.forget()
    assert torch.equal(training_history(tiny, "convnet", RECIPE, Engine(), cache=other), straight)
    assert len(training.sizes) == 6 - kill_at // 2 * 2  # whole epochs are kept
    path = history_path(tiny, "convnet", RECIPE, other)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("damage", ["content", "engine"])
def test_what_was_begun_otherwise_begins_again(tiny: DataSet, training: Training, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    training.kill_at = 3
    with pytest.raises(KilledError):
        training_history(tiny, "convnet", RECIPE, Engine())
    training.forget()
    partial = history_path(tiny, "convnet", RECIPE).with_name("history.partial.safetensors")
    if damage == "content":
        partial.write_bytes(partial.read_bytes()[:-100])
    history = training_history(tiny, "convnet", RECIPE, Engine() if damage == "content" else Engine(micro_batch=5))
    assert "that history starts again" in caplog.text
    assert history.shape == (3, 36)


def test_a_damaged_history_is_not_counted(tiny: DataSet) -> None:
    training_history(tiny, "convnet", RECIPE, Engine())
    path = history_path(tiny, "convnet", RECIPE)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="does not match its checksum"):
        training_history(tiny, "convnet", RECIPE, Engine())
    path.write_bytes(b"")
    with pytest.raises(UserError):
        load_tensors(path)
