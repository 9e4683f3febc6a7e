"""Random: real images drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.kinds import Selection
from datastill.kinds.selection import drawn
from datastill.setting import Setting


@dataclass(frozen=True)
class Random(Selection):
    """A draw without replacement; the seed of the run decides it."""

    def choose(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Tensor:
        """Draw (see `Selection.choose`)."""
        return drawn(data, ipc, seed)


def random(setting: Setting) -> Random:
    """Draw real images of every class without replacement.

    ``S_c = IPC of T_c, uniformly``

    Args:
        setting: Changes nothing.

    Reference:
        The row Random of Tables 1 and 2 of the IID paper, CVPR 2024.
    """
    return Random(name="random")
