"""A fresh random network for every step, as DM matches distributions with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datastill import random
from datastill.data import DataSet
from datastill.encoders.encoder import Encoder, Session
from datastill.engine import Engine


@dataclass(frozen=True)
class FreshNetwork(Encoder):
    """Draws new weights every iteration.

    Args:
        network: A name of `datastill.networks.NETWORKS`.

    Reference:
        Zhao, Bilen, WACV 2023, arXiv:2110.04181, section 3.2: theta from P_theta.
    """

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Build the network (see `Encoder.open`)."""
        return FreshSession(self.network, data, engine, fields, seed)


class FreshSession(Session):
    """A `FreshNetwork` during a run."""

    def __init__(self, network: str, data: DataSet, engine: Engine, fields: Sequence[str], seed: int) -> None:
        super().__init__(network, data, engine, fields)
        self.seed = seed

    def begin(self, iteration: int) -> None:
        """Draw the weights of an iteration."""
        self.network.reset(random.generator(self.seed, iteration, "network"))
