"""MTT and DD as plainly as they can be written: all steps of the inner training in one graph, with torch's own optimizers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from benchmarks.reference import augmentations, plain
from benchmarks.reference_constraints import ReferenceConstraints
from datastill import random
from datastill.data import DataSet
from datastill.engine.curvature import Weights
from datastill.kinds import TrajectoryMatching, UnrolledTraining
from datastill.networks import Network, build


def stepped(network: Network, weights: dict[str, Tensor], images: Tensor, labels: Tensor, rate: Tensor) -> dict[str, Tensor]:
    """The weights after a step of plain SGD, as a function of everything."""
    loss = F.cross_entropy(functional_call(network, weights, (images,)).logits, labels)
    slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    return {name: weight - rate * slope for (name, weight), slope in zip(weights.items(), slopes, strict=True)}


class ReferenceTrajectories:
    """Trajectory matching, of MTT and FTD, with back-propagation through all steps.

    Args:
        method: Whose published values are used.
        data: What is distilled.
        images: The first synthetic images, ``class image channel height width``, normalised.
        experts: Training runs on real images, the weights after each epoch.
        seed: The run's seed.
        constraints: Of IID; None for the method alone.
    """

    def __init__(
        self,
        method: TrajectoryMatching,
        data: DataSet,
        images: Tensor,
        experts: Sequence[Sequence[Weights]],
        *,
        seed: int = 0,
        constraints: ReferenceConstraints | None = None,
    ) -> None:
        self.method, self.data, self.experts, self.seed, self.constraints = method, data, experts, seed, constraints
        self.pixels = images.clone().requires_grad_()
        self.rate = torch.tensor(method.start_rate, requires_grad=True)
        self.labels = torch.arange(data.classes).repeat_interleave(images.shape[1])
        self.optimizer = torch.optim.SGD(
            [{"params": [self.pixels], "lr": method.learning_rate}, {"params": [self.rate], "lr": method.rate_rate}],
            lr=0.1,
            momentum=method.momentum,
        )
        self.of_matching, self.of_training = augmentations(method.augmentation if method.augment else "none", data.flip)
        self.network = plain(build(method.network, channels=data.channels, classes=data.classes, size=data.size))

    def step(self, iteration: int) -> float:
        """Take one step; the loss of the method alone before it."""
        method, generator = self.method, random.generator(self.seed, iteration, "expert")
        expert = self.experts[int(torch.randint(len(self.experts), (), generator=generator))]
        begin = int(torch.randint(method.latest_start, (), generator=generator))
        start, target = expert[begin], expert[begin + method.expert_epochs]
        names = [name for name, _ in self.network.named_parameters()]
        weights = {name: value.clone().requires_grad_() for name, value in zip(names, start, strict=True)}
        for number, rows in enumerate(self.batches(iteration)):
            augmenting = random.generator(self.seed, iteration, number, "augmentation")
            images = self.of_training.batch(self.pixels.flatten(0, 1)[rows], augmenting)
            weights = stepped(self.network, weights, images, self.labels[rows], self.rate)
        off = torch.stack([(weight - to).square().sum() for weight, to in zip(weights.values(), target, strict=True)]).sum()
        way = torch.stack([(before - to).square().sum() for before, to in zip(start, target, strict=True)]).sum()
        loss = off / way
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.constrain(iteration, start)
        before = float(self.rate.detach())
        self.optimizer.step()
        with torch.no_grad():
            self.rate.clamp_(before / 2, before * 2)
        return float(loss.detach())

    def batches(self, iteration: int) -> list[Tensor]:
        """The images of every step: all of them in turn, in an order that is drawn again when they are through."""
        found: list[Tensor] = []
        while len(found) < self.method.inner:
            order = torch.randperm(len(self.labels), generator=random.generator(self.seed, iteration, len(found), "order"))
            found += torch.split(order, self.method.batch or len(order))
        return found[: self.method.inner]

    def constrain(self, iteration: int, start: Weights) -> None:
        """Add the constraints' gradients, class after class, in the network with the weights that the iteration starts from."""
        if self.constraints is None or self.pixels.grad is None:
            return
        self.network.load_state_dict(dict(zip([name for name, _ in self.network.named_parameters()], start, strict=True)))
        self.network.requires_grad_(False)
        for label, own in enumerate(self.pixels.grad):
            pixels = self.pixels[label].detach().requires_grad_()
            rows = self.data.train.draw(
                label,
                min(self.method.real_batch, max(self.data.train.counts)),
                random.generator(self.seed, iteration, label, "real batch"),
            )
            draw = self.of_matching.draw([random.generator(self.seed, iteration, label, "constraints")])
            real = self.of_matching(self.data.normalise(self.data.train.gather(rows))[None], draw)[0]
            seen = self.of_matching(pixels[None], draw)[0]
            own.copy_(self.constraints.added(own.clone(), pixels, seen, real, self.network, iteration, label))
        self.network.requires_grad_(True)


class ReferenceUnrolled:
    """DD: a random network is trained on the images and tested on real ones.

    Args:
        method: Whose published values are used.
        data: What is distilled.
        images: The first synthetic images, ``class image channel height width``, normalised.
        seed: The run's seed.
    """

    def __init__(self, method: UnrolledTraining, data: DataSet, images: Tensor, *, seed: int = 0) -> None:
        self.method, self.data, self.seed = method, data, seed
        self.pixels = images.clone().requires_grad_()
        self.sizes = torch.full((method.epochs, images.shape[1]), method.start_rate).expm1().log().requires_grad_()
        self.optimizer = torch.optim.Adam([self.pixels, self.sizes], lr=method.learning_rate)
        self.network = build(method.network, channels=data.channels, classes=data.classes, size=data.size)

    def step(self, iteration: int) -> float:
        """Take one step, at the learning rate that runs begin with; the loss before it."""
        self.network.reset(random.generator(self.seed, iteration, "network"))
        network = plain(self.network)
        weights: dict[str, Tensor] = dict(network.named_parameters())
        for sizes in self.sizes:
            for image, size in enumerate(sizes):
                weights = stepped(network, weights, self.pixels[:, image], torch.arange(self.data.classes), F.softplus(size))
        count, drawn = self.method.batch_of_class(self.data), random.generator
        rows = [self.data.train.draw(label, count, drawn(self.seed, iteration, label, "real batch")) for label in range(self.data.classes)]
        real = self.data.normalise(self.data.train.gather(torch.cat(rows)))
        labels = torch.arange(self.data.classes).repeat_interleave(count)
        loss = F.cross_entropy(functional_call(network, weights, (real,)).logits, labels)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        return float(loss.detach())
