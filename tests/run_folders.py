"""Quick runs of a tiny data set, what they leave in their folders, and a way to stop them at a step."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

import datastill
from datastill import DistilledSet
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.files import load_tensors
from datastill.kinds import Canvas, Method, Stepper
from doubles import KilledError

ITERATIONS = 8


def method(name: str = "dm+cm", **changes: Any) -> Method:
    """A method with small real batches."""
    return replace(datastill.method(name, settings=["real_batch=6"]), **changes)


def run(data: DataSet, out: Path | None, iterations: int = ITERATIONS, **options: Any) -> DistilledSet:
    """Two images per class, with a checkpoint after every step."""
    settings: dict[str, Any] = {"method": method(), "ipc": 2, "checkpoint_seconds": 0, **options}
    return datastill.distill(data, iterations=iterations, out=out, **settings)


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics, but for what the clock said and the checksums of it."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "checksum")} for line in lines]


def config(folder: Path) -> dict[str, Any]:
    """The configuration of a run."""
    content = yaml.safe_load((folder / "config.yaml").read_text())
    assert isinstance(content, dict)
    return content


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run, the newest last."""
    return sorted((folder / "checkpoint").iterdir())


def assert_same_run(folder: Path, other: Path) -> None:
    """Two runs have the same images, metrics and last state, to the last bit."""
    assert torch.equal(DistilledSet.load(folder).images, DistilledSet.load(other).images)
    assert metrics(folder) == metrics(other)
    ours, theirs = (load_tensors(checkpoints(entry)[-1]) for entry in (folder, other))
    assert ours[1]["iteration"] == theirs[1]["iteration"]
    assert set(ours[0]) == set(theirs[0]) == {"pixels", "momentum"}
    for name, value in ours[0].items():
        assert torch.equal(value, theirs[0][name])


def kill(stepper: Stepper) -> None:
    """Die at once."""
    raise KilledError


@dataclass(frozen=True)
class Interrupted(Method):
    """The same method to a run's folder, which does something before a step: it is killed, for example."""

    method: Method
    at: int
    act: Callable[[Stepper], None]

    def __getattr__(self, name: str) -> Any:  # what only a kind declares
        return getattr(self.method, name)

    def iterations(self, asked: int | None) -> int:
        return self.method.iterations(asked)

    def check(self, data: DataSet, ipc: int) -> None:
        self.method.check(data, ipc)

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        return _InterruptedSteps(self.method.open(data, engine, ipc, seed), self.at, self.act)

    def cost(self, data: DataSet, ipc: int) -> float:
        return self.method.cost(data, ipc)

    def describe(self) -> dict[str, Any]:
        return self.method.describe()


def interrupted(method: Method, at: int, act: Callable[[Stepper], None] = kill) -> Interrupted:
    """A method that does something before a step."""
    return Interrupted(method.name, method, at, act)


class _InterruptedSteps(Stepper):
    def __init__(self, stepper: Stepper, at: int, act: Callable[[Stepper], None]) -> None:
        self.stepper, self.at, self.act = stepper, at, act
        self.factor = stepper.factor

    def step(self, iteration: int) -> dict[str, float]:
        if iteration == self.at:
            self.act(self.stepper)
        return self.stepper.step(iteration)

    def images(self) -> Tensor:
        return self.stepper.images()

    def canvas(self) -> Canvas:
        return self.stepper.canvas()

    def state(self) -> dict[str, Tensor]:
        return self.stepper.state()

    def encoders_used(self) -> dict[str, str]:
        return self.stepper.encoders_used()

    def restore(self, state: dict[str, Tensor]) -> None:
        self.stepper.restore(state)
