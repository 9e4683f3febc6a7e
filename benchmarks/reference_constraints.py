"""The constraints of IID on methods that match gradients or trajectories, as plainly as they can be written: class after class."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.reference import covariance, plain
from datastill import random
from datastill.data import DataSet
from datastill.networks import Network


class ReferenceConstraints:
    """Adds both constraints' gradients, each bounded, to that of a method's own loss at the images of one class.

    Args:
        data: What is distilled.
        seed: The run's seed.
        teacher: Gives the network of class centralization at an iteration.
        centralization: Weight of class centralization, in its relative form.
        covariances: Weight of covariance matching.
        balance: How much longer than the own gradient of a class that of a constraint at an image may be; 0 for no bound.
        every: Class centralization counts only at every N-th iteration, and N times as much.
        most: Images of a class that class centralization reads; 0 for all.
    """

    def __init__(
        self,
        data: DataSet,
        *,
        teacher: Callable[[int], Network],
        seed: int = 0,
        centralization: float = 6e-4,
        covariances: float = 0.01,
        balance: float = 1.0,
        every: int = 1,
        most: int = 0,
    ) -> None:
        self.data, self.teacher, self.seed = data, teacher, seed
        self.centralization, self.covariances, self.balance, self.every, self.most = centralization, covariances, balance, every, most

    def added(self, own: Tensor, at: Tensor, seen: Tensor, real: Tensor, network: Network, iteration: int, label: int) -> Tensor:
        """The gradient of the whole loss.

        Args:
            own: The gradient of the method's own loss at `at`, ``image channel height width``.
            at: What `seen` was computed from, or `seen` itself.
            seen: The synthetic images of the class as networks see them.
            real: The real images of the step, augmented by the same draw.
            network: What is matched in.
            iteration: From 0.
            label: The class.
        """
        with torch.no_grad():
            of_real = covariance(network(real).map)
        apart = (of_real - covariance(network(seen).map)).square().sum()
        total = own + self.bounded(torch.autograd.grad(self.covariances * apart, at, retain_graph=True)[0], own, 1)
        if iteration % self.every:
            return total
        chosen, times = seen, float(self.every)
        if 0 < self.most < len(seen):
            generator = random.generator(self.seed, iteration, label, "pretrained", "some of the images")
            chosen = seen[torch.randperm(len(seen), generator=generator)[: self.most]]
            times *= len(seen) / self.most
        loss = self.centralization * self.every * self.spread(chosen, iteration, label)
        if len(chosen) < len(seen):  # the mean squared distance from a mean of few images is smaller by this
            loss = loss * ((1 - 1 / len(seen)) / (1 - 1 / len(chosen)))
        return total + self.bounded(torch.autograd.grad(loss, at, retain_graph=True)[0], own, times)

    def spread(self, images: Tensor, iteration: int, label: int) -> Tensor:
        """Class centralization (IID, Eq. 3) with alpha 1 and beta .5, in units of the spread of real images, per value of an image.

        Above 3 the exponential goes on as its tangent.
        """
        teacher = plain(self.teacher(iteration)).requires_grad_(False)
        rows = self.data.train.draw(label, min(64, self.data.train.counts[label]), random.generator(0, label, "spread sample"))
        real = teacher(self.data.normalise(self.data.train.gather(rows))).embedding
        unit = (real - real.mean(0)).square().sum(1).mean()
        embedding = teacher(images).embedding
        distances = (embedding - embedding.mean(0)).square().sum(1) / unit
        hinged = [torch.exp(distance.clamp(max=3)) * (1 + torch.relu(distance - 3)) - 0.5 for distance in distances]
        return images[0].numel() * torch.stack(hinged).mean()

    def bounded(self, gradient: Tensor, own: Tensor, times: float) -> Tensor:
        """A constraint's gradient, shortened image by image to what the bound allows, `times` as much."""
        if not self.balance:
            return gradient
        most = self.balance * times * float(own.square().mean().sqrt())
        lengths = [float(image.square().mean().sqrt()) for image in gradient]
        return torch.stack([image * (min(length, most) / length if length else 1) for image, length in zip(gradient, lengths, strict=True)])
