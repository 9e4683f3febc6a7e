"""Training networks on a set and testing them, one after the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from datastill import random, stopping
from datastill.augment import cutmix, training
from datastill.data import ClassImages, DataSet
from datastill.data.images import fingerprint
from datastill.engine import Engine, Runner, Trainer
from datastill.engine.cost import forward_cost
from datastill.engine.inference import predictions, seconds_of_all
from datastill.engine.measuring import seconds_of
from datastill.errors import UserError
from datastill.evaluation.ledger import Ledger, key
from datastill.evaluation.protocol import Protocol
from datastill.evaluation.score import Score
from datastill.labels import HARD, mixed
from datastill.logs import logger
from datastill.networks import build
from datastill.progress import Progress

log = logger(__name__)

DIVERGED = 1e6
"""A loss that no network which learns anything has; a diverged one need not be infinite."""


class Scorer:
    """Trains networks on sets and tests them, with one network compiled once.

    Args:
        data: Where the images come from.
        examined: What to test on.
        protocol: How to train.
        engine: How to run.
        ledger: Holds earlier results and takes new ones; None keeps nothing.
    """

    def __init__(self, data: DataSet, examined: ClassImages, protocol: Protocol, engine: Engine, ledger: Ledger | None = None) -> None:
        self.ledger, self.tested = ledger or Ledger(None), fingerprint(examined, data.class_names)
        self.data, self.examined, self.protocol, self.engine = data, examined, protocol, engine
        network = build(protocol.network, channels=data.channels, classes=data.classes, size=data.size)
        self.network = engine.place(network)
        self.trainer = Trainer(
            engine,
            self.network,
            learning_rate=protocol.learning_rate,
            momentum=protocol.momentum,
            weight_decay=protocol.weight_decay,
        )
        self.runner = Runner(engine, self.network, ("logits",))
        self.mixing = protocol.cutmix if protocol.augment else 0.0
        self.augmentation = training(protocol.augmentation, flip=data.flip, cutout=not self.mixing, augment=protocol.augment)

    def steps(self, images: int) -> int:
        """Training steps that one network takes on `images` images."""
        return self.protocol.passes * -(-images // self.protocol.batch)

    def seconds(self, images: Tensor, labels: Tensor, label_kind: str = HARD) -> float:
        """Measure on a few steps how long it takes to train one network on a set and test it; `score` begins anew afterwards.

        Args:
            images: Normalised ``image channel height width``.
            labels: int64 ``image``, or float32 ``image class`` where they are soft.
            label_kind: What the labels are, one of `datastill.labels.KINDS`.
        """
        place, generator, taken = self.engine.device, random.generator(0, "measuring"), self.steps(len(images))
        images, labels = images[: self.protocol.batch].to(place), labels[: self.protocol.batch].to(place)
        self.network.reset(generator)
        step = seconds_of(lambda: self.trainer.step(self.augmentation.batch(images, generator), labels, label_kind))
        return taken * step + seconds_of_all(self.runner, self.examined, self.data)

    def score(
        self,
        images: Tensor,
        labels: Tensor,
        paths: Iterable[tuple[int | str, ...]],
        bar: Progress | None = None,
        *,
        label_kind: str = HARD,
        learned_rate: float | None = None,
    ) -> Score:
        """Train and test one network for every path of randomness.

        Args:
            images: Normalised ``image channel height width``.
            labels: int64 ``image``, or float32 ``image class`` where they are soft.
            paths: What each network's weights, order and augmentation derive from.
            bar: Counts the training steps.
            label_kind: What the labels are, one of `datastill.labels.KINDS`.
            learned_rate: The learning rate that was learned with the set, used if the protocol says so.
        """
        followed = replace(self.protocol, learning_rate=rate(self.protocol, learned_rate))
        confusion = torch.zeros(self.data.classes, self.data.classes, dtype=torch.int64)
        accuracies = []
        for path in paths:
            name = key(
                images, labels, path, data=self.data, tested=self.tested, protocol=followed, engine=self.engine, label_kind=label_kind
            )
            matrix = self.ledger.find(name, self.examined.counts)
            if matrix is None:
                place = self.engine.device
                self._train(images.to(place), labels.to(place), path, bar, label_kind=label_kind, rate=followed.learning_rate)
                matrix = confusion_matrix(self.runner, self.examined, self.data)
                self.ledger.keep(name, matrix)
            elif bar:
                bar.skip(self.steps(len(images)))
            accuracies.append(100 * int(matrix.diag().sum()) / len(self.examined))
            confusion += matrix
        return Score(tuple(accuracies), confusion)

    def _train(
        self, images: Tensor, labels: Tensor, path: tuple[int | str, ...], bar: Progress | None, *, label_kind: str, rate: float
    ) -> None:
        seed = random.derive(0, "evaluation", *path)
        self.network.reset(random.generator(seed, "weights"))
        if self.protocol.steps:
            self._take(self.protocol.steps, images, labels, bar)
            return
        self.trainer.set_learning_rate(rate, restart_momentum=True)
        passes, loss = self.protocol.passes, 0.0
        for epoch in range(passes):
            if epoch in self.protocol.falls:
                fallen = sum(fall <= epoch for fall in self.protocol.falls)
                self.trainer.set_learning_rate(rate / self.protocol.fall**fallen, restart_momentum=self.protocol.restart)
            order = torch.randperm(len(images), generator=random.generator(seed, epoch, "order")).to(images.device)
            for number, rows in enumerate(torch.split(order, self.protocol.batch)):
                augmented = self.augmentation.batch(images[rows], random.generator(seed, epoch, number, "augmentation"))
                generator = random.generator(seed, epoch, number, "cutmix")
                trained_on, kind = labels[rows], label_kind
                if self.mixing and float(torch.rand((), generator=generator)) < self.mixing:
                    augmented, other, share = cutmix(augmented, generator)
                    trained_on, kind = mixed(trained_on, trained_on[other], share, label_kind, self.data.classes)
                loss, hits = self.trainer.step(augmented, trained_on, kind)
                stopping.check()
                if bar:
                    bar.advance(f"loss {loss:.3f} training accuracy {100 * hits / len(rows):.0f}%")
        if not loss < DIVERGED:
            log.warning("the training of a network diverged at a learning rate of %g: its accuracy says nothing about the set", rate)

    def _take(self, steps: Sequence[float], images: Tensor, labels: Tensor, bar: Progress | None) -> None:
        """Train the network by learned steps, each on the next image of every class; classes follow each other."""
        ipc, loss = len(images) // self.protocol.batch, 0.0
        for number, size in enumerate(steps):
            self.trainer.set_learning_rate(size, restart_momentum=True)
            loss, hits = self.trainer.step(images[number % ipc :: ipc], labels[number % ipc :: ipc])
            stopping.check()
            if bar:
                bar.advance(f"loss {loss:.3f} training accuracy {100 * hits / self.protocol.batch:.0f}%")
        if not loss < DIVERGED:
            log.warning("the training of a network diverged in the learned steps: its accuracy says nothing about the set")


def rate(protocol: Protocol, learned: float | None) -> float:
    """The first learning rate of networks that are trained on a set.

    Args:
        protocol: Says whether a learned one is used.
        learned: The one that was learned with the set; None for none.

    Raises:
        UserError: If it is to be used, but no network could be trained with it.
    """
    if learned is None or not protocol.takes_learned:
        return protocol.learning_rate
    if not 0 < learned < math.inf:
        raise UserError(f"no network can be trained with the set's learned learning rate, {learned:.4g}; use the protocol's own instead")
    return learned


def confusion_matrix(runner: Runner, examined: ClassImages, data: DataSet) -> Tensor:
    """Count ``true predicted`` of a network on a split, without augmentation."""
    pairs = examined.labels * data.classes + predictions(runner, examined, data)
    return torch.bincount(pairs, minlength=data.classes**2).view(data.classes, data.classes)


def training_cost(data: DataSet, protocol: Protocol, images: int) -> float:
    """Floating-point operations of training one network on `images` images."""
    network = build(protocol.network, channels=data.channels, classes=data.classes, size=data.size)
    return 3 * forward_cost(network) * images * protocol.passes
