"""Mean matching: the loss of DM."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from datastill.functional import mean_matching
from datastill.networks import Features
from datastill.terms.term import Target, Term


@dataclass(frozen=True)
class MeanMatching(Term):
    """Distance between the class means of real and synthetic embeddings, L_DM.

    Args:
        weight: Its factor in the loss.

    Reference:
        Zhao, Bilen, WACV 2023, arXiv:2110.04181, Eq. 6; `datastill.functional.mean_matching`.
    """

    name = "mm"
    summary = "squared distance between class means of real and synthetic embeddings (the loss of DM)"
    reads = ("embedding",)

    def target(self, real: Features) -> Target:
        """The class means of the embeddings."""
        return {"mean": real.embedding.mean(1)}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute L_DM."""
        return mean_matching(target["mean"], synthetic.embedding)
