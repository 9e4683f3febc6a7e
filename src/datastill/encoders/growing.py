"""A network that is trained on the synthetic images between steps, as CAFE matches features with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.encoders.encoder import Encoder, Session
from datastill.engine import Engine, Trainer
from datastill.errors import UserError
from datastill.networks import build
from datastill.operations import forward_operations
from datastill.predict import share_correct

LEAST_PASSES = 3
"""Passes over the synthetic images before their effect is judged."""


@dataclass(frozen=True)
class GrowingNetwork(Encoder):
    """Trains a random network on the synthetic images after every iteration, and draws another one when it has settled.

    Both loops stop by themselves, judged by the accuracy on real training images (the query): the training after an iteration when its
    last `LEAST_PASSES` passes differ by less than `inner`, the network when the ends of the last `window` iterations differ by less than
    `outer`.

    Args:
        network: A name of `datastill.networks.NETWORKS`.
        outer: The threshold for a new network, a difference of accuracies in [0, 1].
        inner: The threshold for the training after an iteration.
        window: Iterations that are compared.
        passes: Passes over the synthetic images after an iteration at most.
        query: Real training images that accuracy is measured on, drawn anew every iteration.
        batch: Synthetic images a step.
        learning_rate: Of SGD on the network.
        momentum: Of that SGD.
        weight_decay: Of that SGD.

    Reference:
        Wang et al., CAFE, CVPR 2022, arXiv:2203.01531, dynamic bi-level optimization; the thresholds are the published code's. The
        numbers of passes and of query images are ours.
    """

    trains = True

    outer: float = 0.04
    inner: float = 0.03
    window: int = 10
    passes: int = 10
    query: int = 256
    batch: int = 256
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.window, self.query, self.batch) < 1 or self.passes < 0 or min(self.outer, self.inner) < 0:
            raise UserError(
                f"a growing network needs window, query and batch of at least 1 and passes, outer and inner of at least 0, "
                f"got {self.window}, {self.query}, {self.batch}, {self.passes}, {self.outer}, {self.inner}"
            )
        if not 0 < self.learning_rate < math.inf or not 0 <= self.momentum < 1:
            raise UserError(
                f"a growing network needs a learning rate above 0 and a momentum in [0, 1), got {self.learning_rate}, {self.momentum}"
            )

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Draw the first network (see `Encoder.open`)."""
        return GrowingSession(self, data, engine, fields, seed)

    def operations(self, data: DataSet) -> float:
        """The least number of passes over one image a class, and their queries (see `Encoder.operations`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        return LEAST_PASSES * forward_operations(network) * (3 * data.classes + self.query)


class GrowingSession(Session):
    """A `GrowingNetwork` during a run."""

    def __init__(self, growing: GrowingNetwork, data: DataSet, engine: Engine, fields: Sequence[str], seed: int) -> None:
        super().__init__(growing.network, data, engine, fields)
        self.growing, self.data, self.engine, self.seed = growing, data, engine, seed
        trainee = engine.place(build(growing.network, channels=data.channels, classes=data.classes, size=data.size))
        self.trainer = Trainer(
            engine, trainee, learning_rate=growing.learning_rate, momentum=growing.momentum, weight_decay=growing.weight_decay
        )
        self.runner = engine.runner(trainee, ("logits",))
        self.history: list[float] = []
        self._begin_anew(0)

    def begin(self, iteration: int) -> None:
        """Put the network as it is now in place (see `Session.begin`)."""
        self.network.take(self.trainer.network.weights())

    def advance(self, iteration: int, synthetic: Tensor) -> None:
        """Train the network on the synthetic images; draw another one if it has settled (see `Session.advance`)."""
        labels = torch.arange(len(synthetic), device=synthetic.device).repeat_interleave(synthetic.shape[1])
        rows = torch.randint(len(self.data.train), (self.growing.query,), generator=random.generator(self.seed, iteration, "query"))
        query = self.data.normalise(self.data.train.gather(rows).to(self.engine.device))
        reached: list[float] = []
        for number in range(self.growing.passes):
            order = torch.randperm(len(labels), generator=random.generator(self.seed, iteration, number, "growing")).to(labels.device)
            for batch in torch.split(order, self.growing.batch):
                self.trainer.step(synthetic.flatten(0, 1)[batch], labels[batch])
            reached.append(share_correct(self.runner, query, self.data.train.labels[rows]))
            if len(reached) >= LEAST_PASSES and _range(reached[-LEAST_PASSES:]) < self.growing.inner:
                break
        self.history = [*self.history, *reached[-1:]][-self.growing.window :]
        self.accuracy = self.history[-1] if self.history else 0.0
        if len(self.history) == self.growing.window and _range(self.history) < self.growing.outer:
            self._begin_anew(iteration + 1)

    def state(self) -> dict[str, Tensor]:
        """Weights, momenta and the accuracies so far (see `Session.state`)."""
        return {**self.trainer.state(), "history": torch.tensor(self.history, dtype=torch.float64)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over network and accuracies (see `Session.restore`)."""
        self.trainer.restore(state)
        self.history = state["history"].tolist()
        self.accuracy = self.history[-1] if self.history else 0.0

    def _begin_anew(self, iteration: int) -> None:
        self.trainer.network.reset(random.generator(self.seed, iteration, "growing network"))
        self.trainer.set_learning_rate(self.growing.learning_rate, restart_momentum=True)
        self.history, self.accuracy = [], 0.0


def _range(values: Sequence[float]) -> float:
    return max(values) - min(values)
