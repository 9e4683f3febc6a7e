"""The published algorithms as plainly as they can be written: eager, 32 bits, class after class. What the engine is measured against.

They draw what the package draws, so that they are also an independent derivation of what it computes.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datastill import random
from datastill.augment import DSA, families
from datastill.data import DataSet
from datastill.networks import Network, build
from datastill.networks.layers import InstanceNorm


def augmentations(name: str, flip: bool) -> tuple[DSA, DSA]:
    """How images are augmented that are matched, and how those that networks are trained on, written out."""
    six = ("colour", "crop", "cutout", "flip", "scale", "rotate")
    one = DSA(six) if flip else DSA(tuple(family for family in six if family != "flip"))
    mirrored = ("flip", "colour") if flip else ("colour",)
    return {
        "none": (DSA(()), DSA(())),
        "dsa": (one, one),
        "idc": (DSA(("crop",), ("colour",), ("cutout",)), DSA(("crop", "scale", "rotate"), mirrored, ("cutout",))),
    }[name]


def plain(network: Network) -> Network:
    """Copy a network with the group norms, one channel a group, that the condensation papers' zoo is written with."""
    copied = copy.deepcopy(network)
    for module in list(copied.modules()):
        for name, child in module.named_children():
            if isinstance(child, InstanceNorm):
                channels = len(child.weight)
                norm = nn.GroupNorm(channels, channels, eps=child.epsilon)
                norm.load_state_dict(child.state_dict())
                setattr(module, name, norm)
    return copied


def covariance(map: Tensor) -> Tensor:
    """The local covariance of one class, ``image channel height width`` to ``channel channel`` (IID, Eq. 6)."""
    centred = (map - map.mean(0)).flatten(2)
    return torch.einsum("ncp,ndp->cd", centred, centred) / len(map)


class ReferenceMatching:
    """DM, and DM with both constraints of IID in the published code's form.

    Args:
        data: What is distilled.
        images: The first synthetic images, ``class image channel height width``, normalised.
        seed: The run's seed.
        real_batch: Real images per class and step.
        teacher: The network of class centralization; None for DM alone.
        centralization: Weight of class centralization.
        covariances: Weight of covariance matching.
        learning_rate: Of SGD on the pixels.
        momentum: Of SGD on the pixels.
    """

    def __init__(
        self,
        data: DataSet,
        images: Tensor,
        *,
        seed: int = 0,
        real_batch: int = 256,
        teacher: Network | None = None,
        centralization: float = 0.05,
        covariances: float = 0.01,
        learning_rate: float = 1.0,
        momentum: float = 0.5,
    ) -> None:
        self.data, self.seed, self.real_batch = data, seed, real_batch
        self.centralization, self.covariances = centralization, covariances
        self.pixels = images.clone().requires_grad_()
        self.optimizer = torch.optim.SGD([self.pixels], lr=learning_rate, momentum=momentum)
        self.teacher = None if teacher is None else plain(teacher).requires_grad_(False)
        self.augmentation = DSA(families(flip=data.flip))

    def step(self, iteration: int) -> float:
        """Take one step; the loss before it."""
        network = build("convnet", channels=self.data.channels, classes=self.data.classes, size=self.data.size)
        network.reset(random.generator(self.seed, iteration, "network"))
        network = plain(network).requires_grad_(False)
        loss = torch.zeros(())
        for label in range(self.data.classes):
            rows = self.data.train.draw(label, self.real_batch, random.generator(self.seed, iteration, label, "real batch"))
            draw = self.augmentation.draw([random.generator(self.seed, iteration, label, "augmentation")])
            real = self.augmentation(self.data.normalise(self.data.train.gather(rows))[None], draw)[0]
            synthetic = self.augmentation(self.pixels[label][None], draw)[0]
            of_real, of_synthetic = network(real), network(synthetic)
            loss = loss + (of_real.embedding.mean(0) - of_synthetic.embedding.mean(0)).square().sum()
            if self.teacher is not None:
                embedding = self.teacher(synthetic).embedding
                loss = loss + self.centralization * (embedding - embedding.mean(0)).square().sum()
                loss = loss + self.covariances * (covariance(of_real.map) - covariance(of_synthetic.map)).square().sum()
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        return float(loss.detach())


class ReferenceIDM:
    """IDM, and IDM with both constraints of IID in the published code's form: one step of the pixels for each class.

    Args:
        data: What is distilled; its sides are even.
        images: The first synthetic images, grids of 2x2 parts, ``class image channel height width``, normalised.
        seed: The run's seed.
        real_batch: Real images per class and step.
        teacher: The network of class centralization; None for IDM alone.
        centralization: Weight of class centralization.
        covariances: Weight of covariance matching.
        entropy: Weight of the cross-entropy, times the network's accuracy in percent.
        first: Networks that the queue starts with.
        push_every: Iterations after which a fresh network joins.
        trained: Networks that are trained after an iteration.
        steps: Steps that each of them takes.
        batch: Real images of such a step.
        learning_rate: Of SGD on the pixels.
        momentum: Of SGD on the pixels.
    """

    def __init__(
        self,
        data: DataSet,
        images: Tensor,
        *,
        seed: int = 0,
        real_batch: int = 256,
        teacher: Network | None = None,
        centralization: float = 0.01,
        covariances: float = 0.03,
        entropy: float = 0.5,
        first: int = 3,
        push_every: int = 30,
        trained: int = 2,
        steps: int = 10,
        batch: int = 256,
        learning_rate: float = 0.2,
        momentum: float = 0.5,
    ) -> None:
        self.data, self.seed, self.real_batch = data, seed, real_batch
        self.centralization, self.covariances, self.entropy = centralization, covariances, entropy
        self.push_every, self.trained, self.steps, self.batch = push_every, trained, steps, batch
        self.pixels = images.clone().requires_grad_()
        self.optimizer = torch.optim.SGD([self.pixels], lr=learning_rate, momentum=momentum)
        self.teacher = None if teacher is None else plain(teacher).requires_grad_(False)
        self.augmentation = DSA(families(flip=data.flip))
        self.queue = [self.fresh("first", number) for number in range(first)]
        self.accuracies = [0.0] * first

    def fresh(self, *path: int | str) -> ReferenceTraining:
        """A network with new weights, and its optimizer."""
        network = build("convnet", channels=self.data.channels, classes=self.data.classes, size=self.data.size)
        network.reset(random.generator(self.seed, "queue", *path))
        return ReferenceTraining(network)

    def step(self, iteration: int) -> float:
        """Take a step for every class, then train networks of the queue; the sum of the classes' losses."""
        chosen = int(torch.randint(len(self.queue), (), generator=random.generator(self.seed, iteration, "queue")))
        network = self.queue[chosen].network.requires_grad_(False)
        total = 0.0
        for label in range(self.data.classes):
            rows = self.data.train.draw(label, self.real_batch, random.generator(self.seed, iteration, label, "real batch"))
            draw = self.augmentation.draw([random.generator(self.seed, iteration, label, "augmentation")])
            real = self.augmentation(self.data.normalise(self.data.train.gather(rows))[None], draw)[0]
            synthetic = self.augmentation(enlarged_quadrants(self.pixels[label])[None], draw)[0]
            with torch.no_grad():
                of_real = network(real)
            of_synthetic = network(synthetic)
            loss = (of_real.embedding.mean(0) - of_synthetic.embedding.mean(0)).square().sum()
            targets = torch.full((len(synthetic),), label)
            loss = loss + self.entropy * 100 * self.accuracies[chosen] * F.cross_entropy(of_synthetic.logits, targets)
            if self.teacher is not None:
                embedding = self.teacher(synthetic).embedding
                loss = loss + self.centralization * (embedding - embedding.mean(0)).square().sum()
                loss = loss + self.covariances * (covariance(of_real.map) - covariance(of_synthetic.map)).square().sum()
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            self.optimizer.step()
            total += float(loss.detach())
        self.train(iteration)
        return total

    def train(self, iteration: int) -> None:
        """Train some networks of the queue on real images, and let a fresh one join where it is time."""
        order = torch.randperm(len(self.queue), generator=random.generator(self.seed, iteration, "queue training")).tolist()
        for place in order[: self.trained]:
            generator = random.generator(self.seed, iteration, place, "queue batches")
            correct = 0
            for rows in torch.randint(len(self.data.train), (self.steps, self.batch), generator=generator):
                images, labels = self.data.normalise(self.data.train.gather(rows)), self.data.train.labels[rows]
                self.queue[place].step(images, labels)
                correct += int((self.queue[place].logits.argmax(1) == labels).sum())
            self.accuracies[place] = correct / (self.steps * self.batch)
        if (iteration + 1) % self.push_every == 0:
            self.queue.append(self.fresh("push", iteration))
            self.accuracies.append(0.0)


def enlarged_quadrants(images: Tensor) -> Tensor:
    """The four quadrants of every image, each twice as large, ``image*4 channel height width``."""
    height, width = images.shape[2] // 2, images.shape[3] // 2
    quadrants = [images[:, :, top : top + height, left : left + width] for top in (0, height) for left in (0, width)]
    return F.interpolate(torch.stack(quadrants, 1).flatten(0, 1), scale_factor=2, mode="bilinear")


class ReferenceTraining:
    """Cross-entropy on whole batches, SGD with momentum and weight decay.

    Args:
        network: What is trained.
        nesterov: Whether the momentum is Nesterov's.
    """

    def __init__(self, network: Network, *, nesterov: bool = False) -> None:
        self.network = plain(network)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=nesterov)

    def step(self, images: Tensor, labels: Tensor) -> float:
        """Take one step on normalised ``image channel height width``; the loss before it."""
        self.logits = self.network.requires_grad_(True)(images).logits
        loss = F.cross_entropy(self.logits, labels)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        return float(loss.detach())


class ReferenceFeatures:
    """Embeddings of images, 256 at a time, without gradients.

    Args:
        network: What computes them; it is copied.
    """

    def __init__(self, network: Network) -> None:
        self.network = plain(network).requires_grad_(False)

    def __call__(self, images: Tensor) -> Tensor:
        """The embeddings of normalised ``image channel height width``, ``image feature``."""
        with torch.no_grad():
            return torch.cat([self.network(part).embedding for part in torch.split(images, 256)])
