"""K-center: real images such that no image of the class is far from one of them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from datastill.functional import farthest_first_order
from datastill.kinds import EmbeddingSelection
from datastill.setting import Setting


@dataclass(frozen=True)
class KCenter(EmbeddingSelection):
    """One image after another, each the farthest from those chosen before."""

    def order(self, embeddings: Tensor, ipc: int) -> Tensor:
        """See `datastill.functional.farthest_first_order`."""
        return farthest_first_order(embeddings, ipc)


def k_center(setting: Setting) -> KCenter:
    """Choose real images one by one, each the farthest of its class from those chosen before.

    ``s_1 = argmin_x |f(x) - mu_c|``, ``s_t = argmax_x min_{u<t} |f(x) - f(s_u)|``, mu_c the mean of f over class c, f the embedding of a
    network trained on the data: a ConvNet, by default for four epochs (``network``, ``recipe``). It makes the radius
    ``max_x min_s |f(x) - f(s)|`` small, at most twice the least there is, and so takes outliers.

    Args:
        setting: Changes nothing.

    Reference:
        Sener, Savarese: Active Learning for Convolutional Neural Networks: A Core-Set Approach, ICLR 2018, arXiv:1708.00489, Algorithm 1.
    """
    return KCenter(name="k-center")
