"""A term, an encoder and a method that `datastill` finds by this package's entry points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from datastill import Term
from datastill.data import DataSet
from datastill.encoders import Encoder, FreshNetwork, Session
from datastill.encoders.fresh import FreshSession
from datastill.engine import Engine
from datastill.methods import DistributionMatching
from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import MeanMatching, Target


@dataclass(frozen=True)
class KeptNetwork(Encoder):
    """One random network for the whole run."""

    number: int = 0

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        return KeptSession(FreshNetwork(self.network), data, engine, fields, seed + self.number)


class KeptSession(FreshSession):
    """A `KeptNetwork` during a run."""

    def begin(self, iteration: int) -> None:
        super().begin(0)


@dataclass(frozen=True)
class SpreadMatching(Term):
    """Squared distance between class variances, in a network of its own."""

    name = "spread"
    summary = "squared distance between class variances"
    reads = ("embedding",)
    encoder = "kept"
    brings = KeptNetwork("convnet", number=3)
    everything = True
    least_images = 2
    least_real = 2

    weight: float = 0.1
    powers: tuple[int, ...] = (2,)

    def target(self, real: Features) -> Target:
        return {"embedding": real.embedding}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        difference = (target["embedding"].var(1) - synthetic.embedding.var(1)).abs()
        return sum((difference**power).sum() for power in self.powers) + 0 * difference.sum()


def kept_dm(setting: Setting) -> DistributionMatching:
    """Match class means in one random network."""
    return DistributionMatching(
        "kept-dm", (MeanMatching(),), {"matching": FreshNetwork("convnet")}, real_batch=8, wants={"spread": {"weight": setting.ipc / 10}}
    )
