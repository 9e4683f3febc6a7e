"""Herding: real images whose mean is that of their class."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from datastill.functional import herding_order
from datastill.kinds import EmbeddingSelection
from datastill.setting import Setting


@dataclass(frozen=True)
class Herding(EmbeddingSelection):
    """One image after another, each the one that brings the mean of those chosen closest to that of the class."""

    def order(self, embeddings: Tensor, ipc: int) -> Tensor:
        """See `datastill.functional.herding_order`."""
        return herding_order(embeddings, ipc)


def herding(setting: Setting) -> Herding:
    """Choose real images one by one so that their mean embedding stays nearest to that of their class.

    ``s_t = argmin_{x not chosen} |mu_c - (sum_{u<t} f(s_u) + f(x)) / t|``, mu_c the mean of f over class c, f the embedding of a network
    trained on the data: a ConvNet, by default for four epochs (``network``, ``recipe``).

    Args:
        setting: Changes nothing.

    Reference:
        Welling: Herding Dynamical Weights to Learn, ICML 2009; the greedy form of Rebuffi et al., CVPR 2017, arXiv:1611.07725. One
        published implementation takes the argmax.
    """
    return Herding(name="herding")
