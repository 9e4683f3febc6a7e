"""A growing network on a tiny data set, and what to show it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.encoders import GrowingNetwork
from datastill.encoders.growing import GrowingSession
from datastill.engine import Engine, Runner

ENDLESS = GrowingNetwork("convnet", outer=0.0, inner=2.0, window=3, judged=3, passes=6, query=5, batch=8)
"""It is never given up, and no pass but the last one ends its training: no range is below 0, and none above 2."""


def opened(encoder: GrowingNetwork, data: DataSet, seed: int = 0) -> GrowingSession:
    """A growing network at the start of an exact run."""
    session = encoder.open(data, Engine(), seed, ("embedding", "logits"))
    assert isinstance(session, GrowingSession)
    return session


def images(data: DataSet, ipc: int = 2) -> Tensor:
    """Real images in the place of synthetic ones, ``class image channel height width``."""
    rows = torch.cat([torch.arange(ipc) + offset for offset in data.train.offsets[:3]])
    return torch.unflatten(data.normalise(data.train.gather(rows)), 0, (3, ipc))


def synthetic(data: DataSet, ipc: int = 2) -> Callable[[], Tensor]:
    """Gives these images when it is asked for them."""
    return lambda: images(data, ipc)


def weights(session: GrowingSession) -> Tensor:
    """All weights of the network in training, in a row."""
    return torch.cat([parameter.detach().flatten() for parameter in session.trainer.network.parameters()])


class Judge:
    """Gives accuracies instead of measuring them: those of a script, and from its beginning again at its end.

    Attributes:
        seen: The images and labels that it was asked about.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[Tensor, Tensor]] = []
        self._script: tuple[float, ...] = (0.5,)

    @property
    def asked(self) -> int:
        """How often it was asked."""
        return len(self.seen)

    def says(self, *script: float) -> None:
        """Begin a script."""
        self.seen, self._script = [], script

    def __call__(self, runner: Runner, images: Tensor, labels: Tensor) -> float:
        self.seen.append((images, labels))
        return self._script[(self.asked - 1) % len(self._script)]
