"""What a file of the pool must be of: whatever else is in its place is refused, with the way out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.encoders import TrainingRecipe, pretrain
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors
from datastill.teachers.history import NAME, training_history
from datastill.teachers.pool import pool_folder
from datastill.teachers.stored import Member

RECIPE = TrainingRecipe(epochs=1, learning_rate=0.01)
Change = Callable[[dict[str, Tensor], dict[str, str]], None]


@pytest.fixture(scope="module")
def pool(tiny: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with one trained network and one history."""
    cache = tmp_path_factory.mktemp("pool")
    pretrain(tiny, "convnet", 1, RECIPE, Engine(), cache=cache)
    training_history(tiny, "convnet", RECIPE, Engine(), cache=cache)
    return cache


def changed(pool: Path, tiny: DataSet, tmp_path: Path, name: str, change: Change) -> Path:
    """A cache whose file is another one, with the right checksum of what is in it."""
    tensors, text = load_tensors(pool_folder(tiny, "convnet", RECIPE, pool) / name)
    change(tensors, text)
    save_tensors(pool_folder(tiny, "convnet", RECIPE, tmp_path) / name, tensors, text)
    return tmp_path


def text(**values: str) -> Change:
    return lambda tensors, text: text.update(values)


def one_row(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    name = next(name for name, value in tensors.items() if value.ndim == 4)
    tensors[name] = tensors[name][:1]  # which would be broadcast to all rows


def integers(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    name = next(iter(tensors))
    tensors[name] = tensors[name].long()


def renamed(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    name = next(iter(tensors))
    tensors[f"{name}x"] = tensors.pop(name)


def not_finite(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    next(iter(tensors.values()))[0] = float("nan")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (one_row, r"must be float32 \(128, (\d+), 3, 3\), got float32 \(1, \d+, 3, 3\)"),
        (integers, "must be float32 .* got int64"),
        (renamed, "got absent"),
        (not_finite, "NaN or infinite"),
        (text(fingerprint="f" * 16), "belongs to another network: its fingerprint is ffffffffffffffff, not 0123456789abcdef"),
        (text(network="vgg11"), "its network is vgg11, not convnet"),
        (text(seed="1"), "its seed is 1, not 0"),
        (text(normalisation=json.dumps([[0.5] * 3, [0.2] * 3, True])), "its normalisation is"),
        (text(recipe=json.dumps({"epochs": 7})), "its recipe is"),
        (text(recipe="{"), "expected JSON"),
        (text(accuracy="nan"), "expected the accuracy as a number"),
        (text(accuracy="102.79"), "expected the accuracy as a number"),
        (text(seconds="-9"), "expected the seconds as a number"),
        (text(curve="[[1, 2, 3, 4]]"), "expected what was reached after every epoch"),
        (text(curve="[" * 100_000), "expected what was reached after every epoch"),
        (text(curve="[[1.0, 300.0, null]]"), "an epoch cannot have taken"),
    ],
)
def test_another_network_in_the_place_of_a_teacher_is_refused(pool: Path, tiny: DataSet, tmp_path: Path, change: Change, said: str) -> None:
    cache = changed(pool, tiny, tmp_path, "0.safetensors", change)
    with pytest.raises(UserError, match=f"0.safetensors.*{said}.*: remove it to have it trained again$"):
        pretrain(tiny, "convnet", 1, RECIPE, Engine(), cache=cache)


def fewer_epochs(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    tensors[NAME] = tensors[NAME][:0]


def other_values(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    tensors[NAME] = tensors[NAME] + 5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (fewer_epochs, "must be int8 "),
        (other_values, "expected 1, 0 and -1 only"),
        (text(fingerprint="f" * 16), "its fingerprint is"),
        (text(seconds="x"), "expected the seconds as a number"),
    ],
)
def test_another_history_is_refused(pool: Path, tiny: DataSet, tmp_path: Path, change: Change, said: str) -> None:
    cache = changed(pool, tiny, tmp_path, "history.safetensors", change)
    with pytest.raises(UserError, match=f"history.safetensors.*{said}.*: remove it to have it trained again$"):
        training_history(tiny, "convnet", RECIPE, Engine(), cache=cache)


def test_a_file_of_an_earlier_version_is_read_with_a_warning(
    pool: Path, tiny: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def without(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
        for key in ("fingerprint", "normalisation"):
            del text[key]

    cache = changed(pool, tiny, tmp_path, "0.safetensors", without)
    with caplog.at_level(logging.WARNING):
        assert pretrain(tiny, "convnet", 1, RECIPE, Engine(), cache=cache)[0].weights
    assert caplog.text.count("0.safetensors was written by an earlier version: it does not say its fingerprint") == 1


def test_the_origin_of_a_member_is_all_that_its_weights_depend_on(tiny: DataSet) -> None:
    member = Member(tiny, "convnet", RECIPE)
    others = [
        replace(member, data=replace(tiny, fingerprint="f" * 16)),
        replace(member, data=replace(tiny, flip=False)),
        replace(member, network="vgg11"),
        replace(member, recipe=replace(RECIPE, epochs=2)),
        replace(member, index=1),
    ]
    member.check(replace(member, data=replace(tiny, name="another name")).text(), Path("it"))
    for other in others:
        with pytest.raises(UserError, match="it belongs to another network"):
            member.check(other.text(), Path("it"))
    assert all(value.device == torch.device("meta") for value in member.weights().values())
