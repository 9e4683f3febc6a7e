"""KIP, FRePo and LD as plainly as they can be written: all real images at once, with an inverse and torch's own optimizers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.reference import plain
from datastill import random
from datastill.data import DataSet
from datastill.functional import tangent_kernel
from datastill.kinds import ClosedFormRegression, KernelRegression, PoolRegression
from datastill.networks import Network, build


class Member:
    """A network of a pool, with its optimizer."""

    def __init__(self, network: Network, rate: float) -> None:
        self.network = plain(network)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=rate)
        self.used = self.drawn = 0


class ReferenceRegression:
    """Kernel ridge regression on the set.

    Args:
        method: Whose published values are used.
        data: What is distilled.
        images: The first synthetic images, ``class image channel height width``, normalised.
        seed: The run's seed.
    """

    def __init__(self, method: KernelRegression, data: DataSet, images: Tensor, *, seed: int = 0) -> None:
        self.method, self.data, self.seed = method, data, seed
        self.unit = method.labels in ("weights", "probabilities")
        self.pixels = images.flatten(0, 1).clone().requires_grad_(method.images)
        coded = self.coded(torch.arange(data.classes).repeat_interleave(images.shape[1]))
        start = torch.full_like(coded, 1 / data.classes) if self.unit else coded
        self.labels = start.float().requires_grad_(method.labels != "fixed")
        learned = [tensor for tensor in (self.pixels, self.labels) if tensor.requires_grad]
        self.optimizer = torch.optim.Adam(learned, lr=method.learning_rate)
        self.pool = [self.fresh(number) for number in range(method.pool)] if isinstance(method, PoolRegression) else []

    def fresh(self, number: int, drawn: int = 0) -> Member:
        """A random network, a draw of this number."""
        method, data = self.method, self.data
        if not isinstance(method, PoolRegression):
            raise TypeError(f"{method.name} has no networks")
        network = build(method.network, channels=data.channels, classes=data.classes, size=data.size)
        network.reset(random.generator(self.seed, number, drawn, "network of the pool"))
        member = Member(network, method.network_rate)
        member.drawn = drawn
        return member

    def step(self, iteration: int) -> float:
        """Take one step, and train the network or draw another; the loss before it."""
        method, data = self.method, self.data
        number = (
            int(torch.randint(len(self.pool), (), generator=random.generator(self.seed, iteration, "which network"))) if self.pool else 0
        )
        count = method.batch_of_class(data)
        drawn = [
            data.train.draw(label, count, random.generator(self.seed, iteration, label, "real batch")) for label in range(data.classes)
        ]
        chosen = torch.arange(len(self.pixels))
        if 0 < method.inner_batch < len(chosen):
            chosen = torch.randperm(len(chosen), generator=random.generator(self.seed, iteration, "inner batch"))[: method.inner_batch]
        support = self.seen(self.pixels[chosen], number)
        with torch.no_grad():
            real = self.seen(data.normalise(data.train.gather(torch.cat(drawn))), number)
        among = self.kernel(support, support)
        ridge = method.ridge * among.trace() / len(among) if method.relative else method.ridge
        inverse = torch.linalg.inv(among + ridge * torch.eye(len(among), dtype=among.dtype))
        predicted = self.kernel(real, support) @ inverse @ self.labels[chosen].double()
        loss = 0.5 * (predicted - self.coded(torch.arange(data.classes).repeat_interleave(count))).square().mean()
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        with torch.no_grad():
            if self.unit:
                self.labels.clamp_(0, 1)
            if self.method.labels == "probabilities":
                self.labels.div_(self.labels.sum(1, keepdim=True))
        if self.pool:
            self.train(iteration, number)
        return float(loss.detach())

    def seen(self, images: Tensor, number: int) -> Tensor:
        """What the kernel is of: embeddings, or pixels."""
        return (self.pool[number].network(images).embedding if self.pool else images.flatten(1)).double()

    def kernel(self, one: Tensor, other: Tensor) -> Tensor:
        """Inner products of embeddings, or the kernel of an infinitely wide network."""
        if isinstance(self.method, ClosedFormRegression):
            return tangent_kernel(one, other, hidden=self.method.hidden, bias=self.method.bias)
        return one @ other.T + float(getattr(self.method, "intercept", False))

    def coded(self, classes: Tensor) -> Tensor:
        """One-hot vectors, centred where labels may be below 0."""
        coded = F.one_hot(classes, self.data.classes).double()
        return coded if self.unit else coded - 1 / self.data.classes

    def train(self, iteration: int, number: int) -> None:
        """Train a network on up to 500 images of the set for one step, or draw another one after its uses."""
        member, method = self.pool[number], self.method
        if isinstance(method, PoolRegression) and member.used + 1 >= method.uses:
            self.pool[number] = self.fresh(number, member.drawn + 1)
            return
        member.used += 1
        order = torch.randperm(len(self.pixels), generator=random.generator(self.seed, iteration, "network's batch"))[:500]
        logits, labels = member.network(self.pixels.detach()[order]).logits, self.labels.detach()[order]
        loss = F.cross_entropy(logits, labels) if self.unit else 0.5 * (logits - labels).square().sum(1).mean()
        member.optimizer.zero_grad()
        torch.autograd.backward(loss)
        member.optimizer.step()
