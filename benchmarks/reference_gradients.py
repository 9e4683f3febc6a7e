"""DC, DSA and DCC as plainly as they can be written: eager, 32 bits, class after class, with two graphs of one class in memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.reference import augmentations, plain
from benchmarks.reference_constraints import ReferenceConstraints
from datastill import random
from datastill.data import DataSet
from datastill.kinds import GradientMatching
from datastill.networks import Network, build

SETTLING = 16
"""Real images of every class that a batch norm takes its statistics from, as published."""


@dataclass(frozen=True, eq=False)
class Matched:
    """One class at an iteration: its augmented images, with and without their graph, the real ones, and what both give the network."""

    augmented: Tensor
    seen: Tensor
    real: Tensor
    of_real: list[Tensor]
    of_synthetic: list[Tensor]


class ReferenceGradients:
    """Gradient matching.

    Args:
        method: Whose published values are used.
        data: What is distilled.
        images: The first synthetic images, ``class image channel height width``, normalised.
        seed: The run's seed.
        constraints: Of IID; None for the method alone.
    """

    def __init__(
        self, method: GradientMatching, data: DataSet, images: Tensor, *, seed: int = 0, constraints: ReferenceConstraints | None = None
    ) -> None:
        self.method, self.data, self.seed, self.constraints = method, data, seed, constraints
        self.pixels = images.clone().requires_grad_()
        self.labels = torch.arange(data.classes).repeat_interleave(images.shape[1])
        self.optimizer = torch.optim.SGD([self.pixels], lr=method.learning_rate, momentum=method.momentum)
        self.of_matching, self.of_training = augmentations(method.augmentation if method.augment else "none", data.flip)
        self.network = self.fresh(0)

    def fresh(self, number: int) -> Network:
        """A random network."""
        network = build(self.method.network, channels=self.data.channels, classes=self.data.classes, size=self.data.size)
        network.reset(random.generator(self.seed, number, "network"))
        return plain(network)

    def step(self, iteration: int) -> float:
        """Take one step, and train the network or draw another; the loss of the method alone before it."""
        method, classes = self.method, range(self.data.classes)
        number, match = divmod(iteration, method.matches)
        if match == 0:
            self.network = self.fresh(number)
        if self.network.batchwise:
            settling = random.derive(self.seed, "settling")
            with torch.no_grad():
                self.network(torch.cat([self.real(iteration, label, SETTLING, settling) for label in classes]))
            self.network.eval()
        summed = method.summed_from is not None and (number >= method.summed_from or match >= method.summed_after)
        self.optimizer.zero_grad()
        total = 0.0
        for group in [list(classes)] if summed else [[label] for label in classes]:
            found = [self.gradients(iteration, label) for label in group]
            of_real = [torch.stack(layers).mean(0) for layers in zip(*(each.of_real for each in found), strict=True)]
            of_synthetic = [torch.stack(layers).mean(0) for layers in zip(*(each.of_synthetic for each in found), strict=True)]
            loss = torch.stack([self.distance(*layers) for layers in zip(of_real, of_synthetic, strict=True)]).sum()
            for label, each in zip(group, found, strict=True):
                (pulled,) = torch.autograd.grad(loss, each.seen, retain_graph=True)
                if self.constraints:
                    pulled = self.constraints.added(pulled, each.seen, each.seen, each.real, self.network, iteration, label)
                torch.autograd.backward(each.augmented, pulled)
            total += float(loss.detach())
        self.network.train()
        self.optimizer.step()
        if match < method.matches - 1:
            self.train(iteration)
        return total

    def real(self, iteration: int, label: int, count: int, seed: int) -> Tensor:
        """Real images of a class."""
        rows = self.data.train.draw(label, count, random.generator(seed, iteration, label, "real batch"))
        return self.data.normalise(self.data.train.gather(rows))

    def gradients(self, iteration: int, label: int) -> Matched:
        """What real and synthetic images of a class give the network."""
        draw = self.of_matching.draw([random.generator(self.seed, iteration, label, "augmentation")])
        count = min(self.method.real_batch, max(self.data.train.counts))
        real = self.of_matching(self.real(iteration, label, count, self.seed)[None], draw)[0]
        augmented = self.of_matching(self.pixels[label][None], draw)[0]
        seen = augmented.detach().requires_grad_()
        weights = [weight for weight in self.network.parameters() if weight.ndim > 1]
        losses = [F.cross_entropy(self.network(images).logits, torch.full((len(images),), label)) for images in (real, seen)]
        of_real = torch.autograd.grad(losses[0], weights)
        of_synthetic = torch.autograd.grad(losses[1], weights, create_graph=True)
        return Matched(augmented, seen, real, list(of_real), list(of_synthetic))

    def distance(self, real: Tensor, synthetic: Tensor) -> Tensor:
        """One minus the cosine, summed over the outputs of a layer (DC, Eq. 10)."""
        real, synthetic = real.flatten(1), synthetic.flatten(1)
        products: Tensor = real.norm(dim=1) * synthetic.norm(dim=1)
        return (1 - (real * synthetic).sum(1) / (products + self.method.epsilon)).sum()

    def train(self, iteration: int) -> None:
        """Train the network on the synthetic images."""
        optimizer = torch.optim.SGD(self.network.parameters(), lr=self.method.network_rate)
        images = self.pixels.detach().flatten(0, 1)
        for epoch in range(self.method.epochs):
            generator = random.generator(self.seed, iteration, epoch, "training between matches")
            for batch in torch.split(torch.randperm(len(self.labels), generator=generator), self.method.batch):
                optimizer.zero_grad()
                logits = self.network(self.of_training.batch(images[batch], generator)).logits
                torch.autograd.backward(F.cross_entropy(logits, self.labels[batch]))
                optimizer.step()
