"""A network that is trained on the synthetic images between steps, in which CAFE matches features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from datastill import random
from datastill.augment import check_augmentation, training
from datastill.configuration import added_later
from datastill.data import DataSet
from datastill.encoders.encoder import Encoder, Session, check_accuracies, check_sgd
from datastill.engine import Engine, Runner, Trainer
from datastill.engine.cost import forward_cost
from datastill.engine.inference import BLOCK, share_correct
from datastill.errors import UserError
from datastill.files import check_tensors
from datastill.networks import build


@dataclass(frozen=True)
class GrowingNetwork(Encoder):
    """Trains a random network on the synthetic images after every iteration, and draws a new one when it has settled.

    Both loops stop by themselves, judged by the accuracy on real training images (the query). The network is replaced when the accuracies
    of its last `window` iterations differ by less than `outer`. The training after an iteration ends when those of its last `judged` passes
    differ by more than `inner`, which means that it has learned something new, or after `passes`.

    Args:
        network: A name of `datastill.networks.NETWORKS`.
        outer: The threshold for a new network, a difference of accuracies in [0, 1].
        inner: The threshold for the end of the training after an iteration.
        window: Iterations that are compared.
        judged: Passes over the synthetic images that are compared, and so the least number of them.
        passes: The most passes after an iteration; the published code has no bound.
        query: Real training images of every class that accuracy is measured on, a new draw every time.
        batch: Synthetic images per step.
        learning_rate: Of SGD on the network.
        momentum: Of that SGD.
        weight_decay: Of that SGD.
        augment: Whether images are augmented, parameters for every image.
        augmentation: How, a name that `datastill.augment.training` takes.

    Reference:
        Wang et al., CAFE, CVPR 2022, arXiv:2203.01531, dynamic bi-level optimization; thresholds and numbers of the published code.
    """

    called = "growing"
    trains = True
    steady = False

    outer: float = 0.04
    inner: float = 0.03
    window: int = 10
    judged: int = 10
    passes: int = 50
    query: int = 128
    batch: int = 256
    learning_rate: float = 0.01
    momentum: float = 0.0
    weight_decay: float = 0.0
    augment: bool = False
    augmentation: str = added_later("dsa")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_augmentation(self.augmentation, idle="" if self.augment else "the network")
        if min(self.window, self.judged, self.query, self.batch) < 1 or self.passes < 0 or min(self.outer, self.inner) < 0:
            raise UserError(
                f"a growing network needs window, judged, query and batch of at least 1 and passes, outer and inner of at least 0, "
                f"got {self.window}, {self.judged}, {self.query}, {self.batch}, {self.passes}, {self.outer}, {self.inner}"
            )
        check_sgd("a growing network", self.learning_rate, self.momentum, self.weight_decay)

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Draw the first network (see `Encoder.open`)."""
        return GrowingSession(self, data, engine, fields, seed)

    def memory(self, data: DataSet) -> int:
        """The places of the images of a query (see `Encoder.memory`)."""
        return 8 * self.query * data.classes

    def cost(self, data: DataSet) -> float:
        """The least number of passes over one image per class, and the queries (see `Encoder.cost`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        passes = min(self.judged, self.passes)
        return forward_cost(network) * data.classes * (passes * (3 + self.query) + self.query)


class GrowingSession(Session):
    """A `GrowingNetwork` during a run."""

    def __init__(self, growing: GrowingNetwork, data: DataSet, engine: Engine, fields: Sequence[str], seed: int) -> None:
        super().__init__(growing.network, data, engine, fields)
        self.growing, self.data, self.engine, self.seed = growing, data, engine, seed
        trainee = engine.place(build(growing.network, channels=data.channels, classes=data.classes, size=data.size))
        self.trainer = Trainer(
            engine, trainee, learning_rate=growing.learning_rate, momentum=growing.momentum, weight_decay=growing.weight_decay
        )
        self.runner = Runner(engine, trainee, ("logits",))
        self.augmentation = training(growing.augmentation, flip=data.flip, augment=growing.augment)
        self.history: list[float] = []
        self._begin_anew(0)

    def begin(self, iteration: int) -> None:
        """Put the network as it is now in place (see `Session.begin`)."""
        self.network.take(self.trainer.network.weights())

    def advance(self, iteration: int, synthetic: Callable[[], Tensor]) -> None:
        """Draw another network if this one has settled; if not, train it on the synthetic images (see `Session.advance`)."""
        self.history = [*self.history, self._judged(iteration, "outer")][-self.growing.window :]
        if len(self.history) == self.growing.window and _range(self.history) < self.growing.outer:
            self._begin_anew(iteration + 1)
            return
        images = synthetic()
        labels = torch.arange(len(images), device=images.device).repeat_interleave(images.shape[1])
        reached: list[float] = []
        for number in range(self.growing.passes):
            generator = random.generator(self.seed, iteration, number, "growing")
            order = torch.randperm(len(labels), generator=generator).to(labels.device)
            for batch in torch.split(order, self.growing.batch):
                self.trainer.step(self.augmentation.batch(images.flatten(0, 1)[batch], generator), labels[batch])
            reached = [*reached, self._judged(iteration, number)][-self.growing.judged :]
            if len(reached) == self.growing.judged and _range(reached) > self.growing.inner:
                break
        self.accuracy = reached[-1] if reached else self.history[-1]

    def _judged(self, iteration: int, number: int | str) -> float:
        """The accuracy on a query."""
        train = self.data.train
        rows = torch.cat(
            [
                train.draw(label, self.growing.query, random.generator(self.seed, iteration, label, number, "query"))
                for label in range(self.data.classes)
                if train.counts[label]
            ]
        )
        correct = 0.0
        for block in torch.split(rows, BLOCK):
            images = self.data.normalise(train.gather(block).to(self.engine.device))
            correct += len(block) * share_correct(self.runner, images, train.labels[block])
        return correct / len(rows)

    def state(self) -> dict[str, Tensor]:
        """Weights, momenta and the accuracies so far (see `Session.state`)."""
        accuracies = {"accuracy": [self.accuracy], "history": self.history}
        return {**self.trainer.state(), **{name: torch.tensor(values, dtype=torch.float64) for name, values in accuracies.items()}}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over network and accuracies (see `Session.restore`)."""
        what = f"the state of a growing {self.growing.network}"
        reached = {name: value for name, value in state.items() if name in ("accuracy", "history")}
        length = min(reached["history"].numel() if "history" in reached else 0, self.growing.window)
        lengths = {"accuracy": 1, "history": length}
        check_tensors(reached, {name: torch.empty(each, dtype=torch.float64) for name, each in lengths.items()}, what)
        check_accuracies(torch.cat(list(reached.values())), what)
        self.trainer.check({name: value for name, value in state.items() if name not in reached}, what)
        self.trainer.restore(state)
        self.history, self.accuracy = state["history"].tolist(), float(state["accuracy"])

    def _begin_anew(self, iteration: int) -> None:
        self.trainer.network.reset(random.generator(self.seed, iteration, "growing network"))
        self.trainer.set_learning_rate(self.growing.learning_rate, restart_momentum=True)
        self.history, self.accuracy = [], 0.0


def _range(values: Sequence[float]) -> float:
    return max(values) - min(values)
