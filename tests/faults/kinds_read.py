"""Checkpoints of methods of every kind, and the snapshots of training runs: damaged, and continued to the same bits, or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import datastill
from datastill.encoders import TrainingRecipe
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.kinds import Method
from datastill.teachers.snapshots import Snapshots
from datastill.teachers.trajectories import Trajectory, trajectories
from faults.caches_read import damage, interrupted_after_an_epoch
from faults.campaign import Campaign, Outcome
from faults.known import cache_at, copied, data, heard, place, same
from faults.run_folders_read import newest
from small_methods import quick

METHODS = ("mtt", "ftd", "dd", "ld", "kip", "frepo", "dc", "dsa", "dcc", "idm")
"""Of every kind that keeps more than images, labels or networks of its own, in its checkpoints."""
STEPS, MORE = 2, 3
"""Steps of a run that was stopped, and of the whole one."""
RECIPE, SNAPSHOTS = TrainingRecipe(epochs=2, learning_rate=0.01, batch=16), Snapshots(early=1, parts=2)


@cache
def method(name: str) -> Method:
    """A method whose networks are trained in moments, with the values that it has for digits."""
    smaller: dict[str, Any] = {"real_batch": 6} if hasattr(quick(name), "real_batch") else {}
    return replace(quick(name), lookup=None, **smaller)


def distil(name: str, out: Path | None, iterations: int, *, resume: bool = False) -> Tensor:
    """The images, labels and numbers of a run of a method, in a row."""
    with cache_at(place() / "experts"):
        found = datastill.distill(
            data(), method=method(name), ipc=1, iterations=iterations, out=out, resume=resume, checkpoint_seconds=0, engine=Engine()
        )
    numbers = [torch.tensor([value], dtype=torch.float64) for _, value in sorted(found.numbers.items())]
    return torch.cat([found.images.flatten().double(), found.labels.flatten().double(), *numbers])


@cache
def known(name: str) -> tuple[Path, Tensor]:
    """The folder of a run that was stopped, and what the whole one comes to."""
    distil(name, place() / f"run-{name}", STEPS)
    return place() / f"run-{name}", distil(name, None, MORE)


def _checkpoint(*, forged: bool) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        name = METHODS[seed % len(METHODS)]
        stopped, straight = known(name)
        run = copied(stopped, folder / "run")
        damage(newest(run), random.Random(seed), forged=forged)
        with heard() as said:
            found = distil(name, run, MORE, resume=True)
        if torch.equal(found, straight):
            return Outcome.AGAIN if said else Outcome.RESUMED
        return Outcome.READ if forged and found.shape == straight.shape and bool(found.isfinite().all()) else Outcome.WRONG

    return trial


def experts(cache: Path) -> Trajectory:
    """A training run with its snapshots, in a cache."""
    return trajectories(data(), "convnet", 1, RECIPE, SNAPSHOTS, Engine(), cache=cache)[0]


@cache
def trained() -> tuple[Path, Trajectory]:
    """A cache with a training run, and the run."""
    return place() / "trajectory", experts(place() / "trajectory")


@cache
def left() -> Path:
    """A cache with what is left of a training run that was killed after its first epoch."""
    with interrupted_after_an_epoch():
        experts(place() / "trajectory-left")
    return place() / "trajectory-left"


def _agree(found: Trajectory, expected: Trajectory) -> bool:
    """Whether two runs agree in all but the time that they took."""
    values = (found.epochs, found.accuracies) == (expected.epochs, expected.accuracies)
    return values and all(same(dict(one), dict(other)) for one, other in zip(found.snapshots, expected.snapshots, strict=True))


def _trajectory(*, forged: bool, partial: bool) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        cache = copied(left() if partial else trained()[0], folder / "cache")
        (path,) = cache.rglob("trajectory-*.partial.safetensors" if partial else "trajectory-*.safetensors")
        damage(path, random.Random(seed), forged=forged)
        with heard() as said:
            try:
                found = experts(cache)
            except UserError as error:
                if partial:  # it is made again instead
                    raise AssertionError(str(error)) from error
                raise
        if not _agree(found, trained()[1]):
            return Outcome.READ if forged else Outcome.WRONG
        return Outcome.AGAIN if said else Outcome.RESUMED if partial else Outcome.UNCHANGED

    return trial


CAMPAIGNS = (
    Campaign("kinds-bytes", "a checkpoint of any kind of method is damaged as bytes", _checkpoint(forged=False), short=2),
    Campaign(
        "kinds-forged", "a checkpoint of any kind of method has other tensors or text, with the right checksum", _checkpoint(forged=True),
        short=3,
    ),
    Campaign("trajectory-bytes", "snapshots of a training run are damaged as bytes", _trajectory(forged=False, partial=False), short=10),
    Campaign(
        "trajectory-forged", "snapshots of a training run have other tensors or text, with the right checksum",
        _trajectory(forged=True, partial=False), short=10,
    ),
    Campaign(
        "trajectory-partial", "what a killed training run left is damaged as bytes", _trajectory(forged=False, partial=True), short=3
    ),
    Campaign(
        "trajectory-partial-forged", "what a killed training run left has other tensors or text, with the right checksum",
        _trajectory(forged=True, partial=True), short=3,
    ),
)  # fmt: skip
