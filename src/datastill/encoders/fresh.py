"""Random networks, in which DM matches distributions: a fresh one for every step, or one of a fixed number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from datastill import random
from datastill.data import DataSet
from datastill.encoders.encoder import Encoder, Session
from datastill.engine import Engine
from datastill.errors import UserError


@dataclass(frozen=True)
class FreshNetwork(Encoder):
    """Draws new weights every iteration, or one of `count` networks, the same in every run, whose targets can be kept.

    Args:
        network: A name of `datastill.networks.NETWORKS`.
        count: Random networks to draw from; 0 for a new one at every iteration, as in the paper.

    Reference:
        Zhao, Bilen, WACV 2023, arXiv:2110.04181, section 3.2: theta from P_theta.
    """

    called = "fresh"

    count: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 0:
            raise UserError(f"a number of random networks must be at least 1, or 0 for a fresh one every iteration, got {self.count}")

    @property
    def fixed(self) -> int:
        """The number of networks, if it was given (see `Encoder.fixed`)."""
        return self.count

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Build the network (see `Encoder.open`)."""
        return FreshSession(self, data, engine, fields, seed)


class FreshSession(Session):
    """A `FreshNetwork` during a run."""

    def __init__(self, fresh: FreshNetwork, data: DataSet, engine: Engine, fields: Sequence[str], seed: int) -> None:
        super().__init__(fresh.network, data, engine, fields)
        self.seed, self.count = seed, fresh.count

    def begin(self, iteration: int) -> None:
        """Draw the weights of an iteration, or which of the fixed networks is its."""
        if not self.count:
            self.network.reset(random.generator(self.seed, iteration, "network"))
            return
        chosen = int(torch.randint(self.count, (), generator=random.generator(self.seed, iteration, "fixed network")))
        if chosen != self.member:
            self.network.reset(random.generator(FIXED_SEED, chosen, "fixed network"))
            self.member = chosen


FIXED_SEED = 0
"""Fixed networks belong to no run, so that all runs share what is kept of them."""
