"""Discrimination: the classification loss of CAFE."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from datastill.functional import centre_discrimination
from datastill.networks import Features
from datastill.terms.term import Target, Term


@dataclass(frozen=True)
class Discrimination(Term):
    """Cross-entropy of real embeddings against the centres of the synthetic classes, L_D; it couples the classes.

    Args:
        weight: Its factor in the loss; .01 in the published code.

    Reference:
        Wang et al., CAFE, CVPR 2022, arXiv:2203.01531, the discrimination loss; `datastill.functional.centre_discrimination`.
    """

    name = "dl"
    summary = "cross-entropy of real embeddings against the centres of the synthetic classes (CAFE)"
    reads = ("embedding",)
    couples = True
    everything = True

    weight: float = 0.01

    def target(self, real: Features) -> Target:
        """Every real embedding."""
        return {"embedding": real.embedding}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute L_D."""
        return centre_discrimination(target["embedding"], synthetic.embedding)
