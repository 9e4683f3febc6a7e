"""Regression with the features of networks as the kernel, networks that are trained on the set between steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from datastill import labels as of_labels
from datastill import random
from datastill.data import DataSet
from datastill.engine import Engine, Runner
from datastill.engine.cost import feature_values, forward_cost
from datastill.errors import UserError
from datastill.kinds.adam import Adam
from datastill.kinds.kernel_regression.composition import FIXED, KernelRegression
from datastill.kinds.kernel_regression.kernel import Kernel
from datastill.kinds.kernel_regression.stepper import RegressionStepper
from datastill.kinds.method import Stepper
from datastill.networks import build, network_type

TRAINED_ON = 500
"""The most images of the set that a network's step is taken on, as in the published code."""


@dataclass(frozen=True)
class PoolRegression(KernelRegression):
    """Regression with the linear kernel of a network's embeddings; every step reads one of a pool, which then learns from the set.

    Attributes:
        network: A name of `datastill.networks.NETWORKS`.
        pool: How many networks there are.
        uses: Steps after which a network is replaced by a fresh random one.
        network_rate: The learning rate of Adam on a network: after each of its uses it takes one step on the set.
        intercept: Whether the regression has an intercept, as if every embedding had one more value, 1.
    """

    network: str = "convnet"
    pool: int = 10
    uses: int = 100
    network_rate: float = 3e-4
    intercept: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pool < 1 or self.uses < 1 or not 0 < self.network_rate < 1:
            raise UserError(
                f"{self.name} needs a pool and uses of at least 1 and a network_rate between 0 and 1, "
                f"got {self.pool}, {self.uses} and {self.network_rate}"
            )

    def check(self, data: DataSet, ipc: int) -> None:
        """Also refuse a network that is unknown or has batch norm (see `Method.check`)."""
        super().check(data, ipc)
        build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        if network_type(self.network).batchwise:
            raise UserError(
                f"the kernel of {self.name} is a function of two images, but the features of {self.network} depend on the whole batch: "
                f"use another network, such as `network=convnet`"
            )

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Draw the first images and prepare the kernel (see `Method.open`)."""
        return RegressionStepper(self, data, engine, ipc, seed)

    def kernel(self, data: DataSet, engine: Engine, seed: int) -> Kernel:
        """Draw the networks (see `KernelRegression.kernel`)."""
        return NetworkPool(self, data, engine, seed)

    def cost(self, data: DataSet, ipc: int) -> float:
        """Real images forward; the set forward, and backward where images are learned, and a training step (see `Method.cost`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        support = data.classes * ipc
        read = min(support, self.inner_batch or support) * (2 if self.images else 1)
        return forward_cost(network) * (self.batch_of_class(data) * data.classes + read + 3 * min(support, TRAINED_ON))

    def memory(self, data: DataSet, ipc: int) -> int:
        """Also the networks with what Adam keeps (see `Method.memory`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        return super().memory(data, ipc) + 3 * self.pool * sum(value.nbytes for value in network.weights().values())


class NetworkPool(Kernel):
    """The networks of a `PoolRegression`. Two are in memory as networks, the one that is read and the one that is trained."""

    def __init__(self, method: PoolRegression, data: DataSet, engine: Engine, seed: int) -> None:
        self.method, self.engine, self.seed = method, engine, seed
        read, self.trainee = (
            engine.place(build(method.network, channels=data.channels, classes=data.classes, size=data.size)) for _ in range(2)
        )
        self.values = feature_values(read, ("embedding",))
        read.freeze(engine.precision)
        self.runner_of_set, self.runner_of_real = (Runner(engine, read.eval(), ("embedding",)) for _ in range(2))
        self.optimizer = Adam(dict(self.trainee.named_parameters()), method.network_rate)
        self.limit = engine.images_at_a_time(self.trainee, training=True)
        self.number = 0
        self.used, self.drawn = (torch.zeros(method.pool, dtype=torch.int64) for _ in range(2))
        self.members = [self._fresh(number) for number in range(method.pool)]

    def begin(self, iteration: int) -> None:
        """Put one of the networks in place (see `Kernel.begin`)."""
        self.number = int(torch.randint(self.method.pool, (), generator=random.generator(self.seed, iteration, "which network")))
        self.runner_of_set.network.take(self.members[self.number])

    def seen(self, images: Tensor) -> Tensor:
        """The embeddings (see `Kernel.seen`)."""
        runner = self.runner_of_set if torch.is_grad_enabled() else self.runner_of_real
        return runner(images).embedding.double()

    def between(self, one: Tensor, other: Tensor) -> Tensor:
        """Inner products, plus 1 with an intercept (see `Kernel.between`)."""
        return one @ other.mT + float(self.method.intercept)

    def advance(self, iteration: int, images: Tensor, labels: Tensor) -> None:
        """Train the network on the set for one step, or draw another one (see `Kernel.advance`)."""
        if self.used[self.number] + 1 >= self.method.uses:
            self.used[self.number] = 0
            self.drawn[self.number] += 1
            self.members[self.number] = self._fresh(self.number)
            return
        self._load(self.members[self.number])
        order = torch.randperm(len(images), generator=random.generator(self.seed, iteration, "network's batch"))[:TRAINED_ON]
        kind = "scores" if self.method.labels == FIXED else self.method.labels
        for rows in torch.split(order, self.limit):
            batch = images[rows].to(self.engine.precision, memory_format=torch.channels_last)
            torch.autograd.backward(of_labels.loss(self.trainee(batch).logits, labels[rows], kind).sum() / len(order))
        self.optimizer.step()
        self.members[self.number] = self._copied()
        self.used[self.number] += 1

    def state(self) -> dict[str, Tensor]:
        """Uses, draws, and every network with what Adam keeps of it (see `Kernel.state`)."""
        members = {f"{number}/{name}": value for number, member in enumerate(self.members) for name, value in member.items()}
        return {"used": self.used.clone(), "drawn": self.drawn.clone(), **members}

    def check(self, state: dict[str, Tensor], what: str) -> None:
        """Refuse counts that no run has (see `Kernel.check`)."""
        if int(state["used"].min()) < 0 or int(state["used"].max()) >= self.method.uses or int(state["drawn"].min()) < 0:
            raise UserError(f"{what} does not fit: networks were used {state['used'].tolist()} times, expected 0 to {self.method.uses - 1}")

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a `state` (see `Kernel.restore`)."""
        self.used, self.drawn = state["used"].clone(), state["drawn"].clone()
        for number in range(self.method.pool):
            self.members[number] = {
                name.removeprefix(f"{number}/"): value.clone() for name, value in state.items() if name.startswith(f"{number}/")
            }

    def _fresh(self, number: int) -> dict[str, Tensor]:
        """A random network, the next draw of this number."""
        self.trainee.reset(random.generator(self.seed, number, int(self.drawn[number]), "network of the pool"))
        self.optimizer.forget()
        return self._copied()

    def _copied(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in {**self.trainee.weights(), **self.optimizer.state()}.items()}

    def _load(self, member: Mapping[str, Tensor]) -> None:
        self.trainee.take(member)
        self.optimizer.restore(member)
