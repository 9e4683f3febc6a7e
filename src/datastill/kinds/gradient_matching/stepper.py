"""A method that matches gradients during a run: match class by class, step, train the network."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from datastill import random
from datastill.augment import Draw, matching, training
from datastill.data import DataSet
from datastill.engine import Engine, Trainer
from datastill.engine.gradients import Gradients, WeightGradients, added
from datastill.errors import UserError
from datastill.functional import gradient_distance
from datastill.kinds.canvas import PixelSGD, initial_images
from datastill.kinds.constraints import STATE, Constraints
from datastill.kinds.gradient_matching.composition import GradientComposition
from datastill.kinds.method import Stepper
from datastill.kinds.real_batches import RealBatches
from datastill.kinds.watch import Watch
from datastill.logs import logger
from datastill.networks import build

log = logger(__name__)

CHUNK_BYTES = 2**28
"""Bytes of real images, as floats, that are in memory at a time."""
SETTLING = 16
"""Real images of every class that a batch norm takes its statistics from."""
NETWORK = "network/"
"""What the names of the network's weights begin with in a state."""


class GradientStepper(Stepper):
    """A `GradientMatching` during a run. The images of one class at a time are in memory with their graph."""

    def __init__(self, method: GradientComposition, data: DataSet, engine: Engine, ipc: int, seed: int) -> None:
        self.method, self.data, self.engine, self.seed = method, data, engine, seed
        self.network = engine.place(build(method.network, channels=data.channels, classes=data.classes, size=data.size))
        self.trainer = Trainer(engine, self.network, learning_rate=method.network_rate, momentum=0.0, weight_decay=0.0)
        self.of_matching = matching(method.augmentation, flip=data.flip, augment=method.augment)
        self.of_training = training(method.augmentation, flip=data.flip, augment=method.augment)
        limit = max(1, CHUNK_BYTES // (4 * data.channels * data.size[0] * data.size[1]))
        self.batches = RealBatches(data, min(method.real_batch, max(data.train.counts)), seed, engine.device, limit=limit)
        self.settling = RealBatches(data, SETTLING, random.derive(seed, "settling"), engine.device)
        self.pixels = initial_images(method.initialisation, data, ipc, seed, 1).to(engine.device).requires_grad_()
        self.optimizer = PixelSGD(self.pixels, learning_rate=method.learning_rate, momentum=method.momentum, averaging=method.averaging)
        self.constraints = Constraints(method, data, engine, seed, self.network, self.batches, self.of_matching)
        self.gradients = WeightGradients(engine, self.network, self.constraints.fields)
        self.own = engine.ranks.own(data.classes)
        self.watch = Watch(steady=False)
        if method.matches == 1 and ipc > 1:
            log.info(
                "%s: every network is drawn, matched once and never trained, as with one image a class; to train networks set `matches` "
                "and `epochs`, published as 10 and 50 for ten images a class",
                method.name,
            )
        self._fresh(0)

    def step(self, iteration: int) -> dict[str, float]:
        """Match the gradients of all classes, step on the pixels, train the network or draw another (see `Stepper.step`)."""
        method = self.method
        number, match = divmod(iteration, method.matches)
        if match == 0:
            self._fresh(number)
        self.optimizer.before(iteration)
        if self.network.batchwise:
            self._settle(iteration)
        self.constraints.begin(iteration)
        loss = self._matched_together(iteration) if method.summed(iteration) else self._matched_apart(iteration)
        self.network.train()
        loss, *sums = self.optimizer.exchange(self.engine.ranks, [loss, *self.constraints.sums.values()])
        self.optimizer.step(iteration)
        if not math.isfinite(float(loss)):
            raise UserError(f"the loss is not finite at iteration {iteration + 1}: lower `learning_rate` or `network_rate`")
        figures = self.constraints.figures(
            iteration, float(loss), dict(zip(self.constraints.sums, sums, strict=True)), self.pixels.shape[1]
        )
        self.watch.pixels(iteration, self.pixels)
        if match < method.matches - 1:
            self._train(iteration)
        self.constraints.advance(iteration, self.pixels.detach)
        return figures

    def images(self) -> Tensor:
        """The pixels, or their average over iterations (see `Stepper.images`)."""
        return self.optimizer.images()

    def state(self) -> dict[str, Tensor]:
        """The pixels, their momentum and their average, and the network (see `Stepper.state`)."""
        network = {NETWORK + name: value for name, value in self.trainer.state().items()}
        return {**self.optimizer.state(), **network, **self.constraints.state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over pixels, momentum, average and network (see `Stepper.restore`)."""
        own = {name: value for name, value in state.items() if not name.startswith((NETWORK, STATE))}
        network = {name.removeprefix(NETWORK): value for name, value in state.items() if name.startswith(NETWORK)}
        self.optimizer.restore(own)
        self.trainer.check(network, f"the state of a {self.network.name}")
        self.trainer.restore(network)
        self.constraints.restore(state)

    def encoders_used(self) -> dict[str, str]:
        """Checksums of the networks that constraints read (see `Stepper.encoders_used`)."""
        return self.constraints.checksums()

    def _fresh(self, number: int) -> None:
        self.network.reset(random.generator(self.seed, number, "network"))

    @torch.no_grad()
    def _settle(self, iteration: int) -> None:
        """Give a batch norm the statistics of real images, which stay as they are while gradients are matched."""
        images = torch.cat(list(self.settling.draw(iteration, range(self.data.classes))), 1)
        self.network.train()
        self.network(images.flatten(0, 1))
        self.network.eval()

    def _matched_apart(self, iteration: int) -> Tensor:
        """Add to the pixels the gradient of the distance of every own class, one after another; their sum."""
        total = torch.zeros((), device=self.engine.device)
        for label in self.own:
            real, augmented, draw = self._pair(iteration, label)
            distance, directions = self._distance(real, self.gradients.exact(augmented.detach(), self._labels(label, len(augmented))))
            total.add_(distance)
            self._pull(iteration, augmented, label, draw, directions)
        return total

    def _matched_together(self, iteration: int) -> Tensor:
        """Add to the pixels the gradient of the distance between the mean gradients over classes."""
        classes, ranks = self.data.classes, self.engine.ranks
        pairs = []
        real: Gradients = ()
        synthetic: Gradients = ()
        for label in self.own:
            of_real, augmented, draw = self._pair(iteration, label)
            of_synthetic = self.gradients.exact(augmented.detach(), self._labels(label, len(augmented)))
            real, synthetic = added(real, of_real), added(synthetic, of_synthetic)
            pairs.append((augmented, draw))
        both = ranks.summed([*real, *synthetic])
        real, synthetic = both[: len(real)], both[len(real) :]
        distance, directions = self._distance(tuple(each / classes for each in real), tuple(each / classes for each in synthetic))
        directions = tuple(direction / classes for direction in directions)
        for label, (augmented, draw) in zip(self.own, pairs, strict=True):
            self._pull(iteration, augmented, label, draw, directions)
        return distance if ranks.first else torch.zeros_like(distance)

    def _pair(self, iteration: int, label: int) -> tuple[Gradients, Tensor, Draw]:
        """The gradient on the real images of a class, and its synthetic images, augmented by the same draw; and that draw.

        Constraints are lent the features of the real images.
        """
        draw = self.of_matching.draw([random.generator(self.seed, iteration, label, "augmentation")])
        found: Gradients = ()
        for part in self.batches.draw(iteration, [label]):
            images = self.of_matching(part, draw)[0]
            share = len(images) / self.batches.size
            gradient, features = self.gradients.of(images, self._labels(label, len(images)))
            self.constraints.lend(label, features)
            found = added(found, gradient if share == 1 else tuple(share * each for each in gradient))
        return found, self.of_matching(self.pixels[label : label + 1], draw)[0], draw

    def _pull(self, iteration: int, augmented: Tensor, label: int, draw: Draw, directions: Gradients) -> None:
        """Add to the pixels of a class the gradient of its distance, and that of the constraints."""
        seen = augmented.detach().requires_grad_()
        pulled = self.gradients.pull(seen, self._labels(label, len(seen)), directions)
        constraints = self.constraints.pulls(iteration, label, seen, seen, draw)
        torch.autograd.backward(augmented, pulled + self.constraints.bounded(constraints, pulled) if constraints else pulled)

    def _distance(self, real: Gradients, synthetic: Gradients) -> tuple[Tensor, Gradients]:
        """The distance between gradients, summed over layers, and its derivative with respect to the second."""
        leaves = [each.requires_grad_() for each in synthetic]
        epsilon = self.method.epsilon
        distances = [gradient_distance(one, other, epsilon=epsilon) for one, other in zip(real, leaves, strict=True)]
        total = torch.stack(distances).sum()
        return total.detach(), torch.autograd.grad(total, leaves)

    def _labels(self, label: int, count: int) -> Tensor:
        return torch.full((count,), label, device=self.engine.device)

    def _train(self, iteration: int) -> None:
        """Train the network on the synthetic images as they are now."""
        images = self.pixels.detach()
        labels = torch.arange(len(images), device=images.device).repeat_interleave(images.shape[1])
        images = images.flatten(0, 1)
        for epoch in range(self.method.epochs):
            generator = random.generator(self.seed, iteration, epoch, "training between matches")
            order = torch.randperm(len(labels), generator=generator).to(labels.device)
            for batch in torch.split(order, self.method.batch):
                self.trainer.step(self.of_training.batch(images[batch], generator), labels[batch])
