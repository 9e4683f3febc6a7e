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
        loss = F.cross_entropy(self.network(images).logits, labels)
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
