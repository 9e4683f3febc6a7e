"""A pool of networks pretrained on the real images, one of them for every step."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.encoders.encoder import Encoder, Session
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import checksum
from datastill.logs import logger
from datastill.networks import build
from datastill.teachers.missing import Untrained
from datastill.teachers.pool import found, measured_on, pool_folder
from datastill.teachers.pretraining import pretrain
from datastill.teachers.recipe import RECIPES, TrainingRecipe

log = logger(__name__)


@dataclass(frozen=True)
class PretrainedPool(Encoder):
    """Draws one network of a pool every iteration; missing ones are trained first, with a message.

    Args:
        network: A name of `datastill.networks.NETWORKS`; ResNet18 in the paper.
        count: Networks in the pool.
        recipe: How they are trained.

    Reference:
        IID, CVPR 2024, section 3.2: Eq. 3 is computed in a pretrained ResNet18.
    """

    called = "pretrained"
    trains = True
    apart = True

    network: str = "resnet18"
    count: int = 1
    recipe: TrainingRecipe = field(default_factory=lambda: RECIPES["fast"])

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 1:
            raise UserError(f"a pool needs at least one network, got {self.count}")

    @property
    def fixed(self) -> int:
        """The networks of the pool (see `Encoder.fixed`)."""
        return self.count

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Train what is missing and load the pool (see `Encoder.open`)."""
        pool = pretrain(data, self.network, self.count, self.recipe, engine)
        reached = ", ".join(f"{member.accuracy:.1f}%" for member in pool)
        log.info("encoder: %s pretrained, %s on %s", self.network, reached, measured_on(data))
        weights, accuracies = [member.weights for member in pool], [member.accuracy / 100 for member in pool]
        return PoolSession(self.network, data, engine, fields, seed, weights, accuracies)

    def training_seconds(self, data: DataSet) -> Mapping[Hashable, float]:
        """The networks of the pool that are in the cache (see `Encoder.training_seconds`)."""
        folder, members = pool_folder(data, self.network, self.recipe), found(data, self.network, self.count, self.recipe)
        return {(folder, number): member.seconds for number, member in enumerate(members)}

    def missing(self, data: DataSet) -> tuple[Untrained, ...]:
        """Networks of the pool that are not in the cache (see `Encoder.missing`)."""
        count = self.count - len(found(data, self.network, self.count, self.recipe))
        return (Untrained(self.network, count, self.recipe, pool_folder(data, self.network, self.recipe)),) if count else ()

    def untrained(self) -> Encoder:
        """A pool of networks as they are before their training; it keeps no targets (see `Encoder.untrained`)."""
        fields = {name: getattr(self, name) for name in ("network", "count", "recipe", "every", "most", "target_images")}
        return UntrainedPool(**fields)


@dataclass(frozen=True)
class UntrainedPool(PretrainedPool):
    """A pool without training, which takes as long to read as a trained one."""

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Draw the weights (see `Encoder.open`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        weights: list[dict[str, Tensor]] = []
        for number in range(self.count):
            network.reset(random.generator(number, "pretraining", "weights"))
            weights.append({name: value.clone() for name, value in network.weights().items()})
        return PoolSession(self.network, data, engine, fields, seed, weights, [0.0] * self.count)


class PoolSession(Session):
    """A `PretrainedPool` during a run."""

    def __init__(
        self,
        network: str,
        data: DataSet,
        engine: Engine,
        fields: Sequence[str],
        seed: int,
        weights: Sequence[Mapping[str, Tensor]],
        accuracies: Sequence[float],
    ) -> None:
        super().__init__(network, data, engine, fields)
        self.network.eval()
        self.seed, self.weights, self.accuracies = seed, weights, accuracies

    def checksums(self) -> dict[str, str]:
        """Checksums of the pool (see `Session.checksums`)."""
        return {str(number): checksum(weights) for number, weights in enumerate(self.weights)}

    def begin(self, iteration: int) -> None:
        """Put the weights of the network drawn for an iteration in place."""
        chosen = int(torch.randint(len(self.weights), (), generator=random.generator(self.seed, iteration, "pool")))
        if chosen == self.member:
            return
        self.network.take(self.weights[chosen])
        self.accuracy = self.accuracies[chosen]
        self.member = chosen
