"""What is kept in the cache and read back: teachers, histories, what was left of their training, targets, memory-mapped splits."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import datastill
from datastill.data.storage import RawSplit, arrange
from datastill.encoders import TrainingRecipe, pretrain
from datastill.engine import Engine
from datastill.kinds.distribution_matching import Composition
from datastill.teachers.history import training_history
from datastill.teachers.pool import pool_folder
from datastill.teachers.pretraining import Pretraining
from faults.campaign import Campaign, Outcome
from faults.known import cache_at, copied, data, heard, place, same, sealed_again
from faults.mutations import damaged

RECIPE = TrainingRecipe(epochs=2, learning_rate=0.01, batch=16)
NETWORK = "convnet"


class Interrupted(Exception):  # noqa: N818 (not an error of the program)
    """What stands for a kill after the first epoch."""


@cache
def trained() -> tuple[Path, dict[str, Tensor], Tensor]:
    """A cache with a network and a history, and both."""
    (member,) = pretrain(data(), NETWORK, 1, RECIPE, Engine(), cache=place() / "trained")
    history = training_history(data(), NETWORK, RECIPE, Engine(), cache=place() / "trained")
    return place() / "trained", dict(member.weights), history


@cache
def left() -> Path:
    """A cache with what is left of a training that was killed after its first epoch."""
    with interrupted_after_an_epoch():
        pretrain(data(), NETWORK, 1, RECIPE, Engine(), cache=place() / "left")
    return place() / "left"


@contextlib.contextmanager
def interrupted_after_an_epoch() -> Iterator[None]:
    """End a training after its first epoch, as a kill would."""
    whole, taken = Pretraining.epoch, list[int]()

    def once(*arguments: Any, **options: Any) -> Tensor:
        if taken:
            raise Interrupted
        taken.append(1)
        return whole(*arguments, **options)

    with patch.object(Pretraining, "epoch", once), contextlib.suppress(Interrupted):
        yield


def damage(path: Path, chance: random.Random, *, forged: bool) -> None:
    """Damage a file of tensors: as bytes, or its content with the right checksum of what is then in it."""
    if forged:
        sealed_again(path, chance)
    else:
        path.write_bytes(damaged(path.read_bytes(), chance))


def _teacher(*, forged: bool) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        cache, weights, history = trained()
        copied(cache, folder / "cache")
        name, chance = ("0", "history")[seed % 2], random.Random(seed)
        damage(pool_folder(data(), NETWORK, RECIPE, folder / "cache") / f"{name}.safetensors", chance, forged=forged)
        if name == "0":
            found, expected = dict(pretrain(data(), NETWORK, 1, RECIPE, Engine(), cache=folder / "cache")[0].weights), weights
        else:
            found = {"history": training_history(data(), NETWORK, RECIPE, Engine(), cache=folder / "cache")}
            expected = {"history": history}
        if same(found, expected):
            return Outcome.UNCHANGED
        shapes = {key: value.shape for key, value in found.items()} == {key: value.shape for key, value in expected.items()}
        return Outcome.READ if forged and shapes else Outcome.WRONG

    return trial


def _partial(*, forged: bool) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        copied(left(), folder / "cache")
        damage(pool_folder(data(), NETWORK, RECIPE, folder / "cache") / "0.partial.safetensors", random.Random(seed), forged=forged)
        with heard() as said:
            (member,) = pretrain(data(), NETWORK, 1, RECIPE, Engine(), cache=folder / "cache")
        if same(dict(member.weights), trained()[1]):
            return Outcome.AGAIN if said else Outcome.RESUMED
        return Outcome.READ if forged else Outcome.WRONG

    return trial


@cache
def keeping() -> tuple[Composition, Path, Tensor]:
    """A method that keeps targets, a cache of them, and its images after a step."""
    method = datastill.method("dm", data=data(), ipc=2, settings=["real_batch=6", "matching.count=1", "matching.targets=1"])
    if not isinstance(method, Composition):
        raise TypeError(method)
    return method, place() / "keeping", _stepped(method, place() / "keeping")


def _stepped(method: Composition, cache: Path) -> Tensor:
    with cache_at(cache):
        stepper = method.open(data(), Engine(), 2, 0)
        stepper.step(0)
        return stepper.images()


def _targets(*, forged: bool) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        method, cache, images = keeping()
        copied(cache, folder / "cache")
        (path,) = (folder / "cache" / "targets").glob("*.safetensors")
        damage(path, random.Random(seed), forged=forged)
        with heard() as said:
            found = _stepped(replace(method), folder / "cache")
        if torch.equal(found, images):
            return Outcome.AGAIN if said else Outcome.UNCHANGED
        return Outcome.READ if forged and found.shape == images.shape else Outcome.WRONG

    return trial


PIXELS = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), dtype=np.uint8)


def _opened(cache: Path) -> NDArray[np.uint8]:
    """A split that is found in a cache, or decoded into it."""

    def blocks() -> Iterator[NDArray[np.uint8]]:
        yield PIXELS

    with cache_at(cache):
        split = RawSplit(np.zeros(len(PIXELS), dtype=np.int64), 3, (8, 8), blocks, "a trial")
        return arrange(split, 1, budget=0).gather(torch.arange(len(PIXELS))).numpy()


def _mapped(seed: int, folder: Path) -> Outcome:
    _opened(folder)
    (path,) = (folder / "mapped").glob("*.npy")
    path.write_bytes(damaged(path.read_bytes(), random.Random(seed)))
    with heard() as said:
        found = _opened(folder)
    return Outcome.WRONG if not np.array_equal(found, PIXELS) else Outcome.AGAIN if said else Outcome.UNCHANGED


CAMPAIGNS = (
    Campaign("teacher-bytes", "a teacher or a history is damaged as bytes", _teacher(forged=False), short=15),
    Campaign("teacher-forged", "a teacher or a history has other tensors or text, with the right checksum", _teacher(forged=True)),
    Campaign("partial-bytes", "what a killed training left is damaged as bytes", _partial(forged=False), short=8),
    Campaign(
        "partial-forged", "what a killed training left has other tensors or text, with the right checksum", _partial(forged=True), short=8
    ),
    Campaign("targets-bytes", "kept targets are damaged as bytes", _targets(forged=False), short=8),
    Campaign("targets-forged", "kept targets have other tensors or text, with the right checksum", _targets(forged=True), short=8),
    Campaign("mapped-bytes", "a memory-mapped split is damaged as bytes", _mapped),
)
