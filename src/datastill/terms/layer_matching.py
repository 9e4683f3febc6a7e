"""Layer matching: the feature alignment of CAFE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from datastill.functional import mean_matching
from datastill.networks import Features
from datastill.terms.term import Term


@dataclass(frozen=True)
class LayerMatching(Term):
    """Distance between class means at every block and in the embedding, L_f.

    Args:
        weight: Its factor in the loss.
        early: Factor of the first two blocks.
        late: Factor of every later block.
        last: Factor of the embedding.

    Reference:
        Wang et al., CAFE, CVPR 2022, arXiv:2203.01531, the feature alignment loss. The factors are the published code's, which counts the
        last map twice: as a map, and flattened as the embedding.
    """

    name = "lm"
    summary = "squared distance between class means at every block and in the embedding (CAFE)"
    reads = ("blocks", "embedding")

    early: float = 0.1
    late: float = 1.0
    last: float = 2.0

    def __call__(self, real: Features, synthetic: Features) -> Tensor:
        """Compute L_f."""
        layers = zip((*real.blocks, real.embedding), (*synthetic.blocks, synthetic.embedding), strict=True)
        *blocks, embedding = (mean_matching(one.flatten(2), other.flatten(2)) for one, other in layers)
        factors = [self.early if number < 2 else self.late for number in range(len(blocks))]
        return torch.stack([factor * block for factor, block in zip(factors, blocks, strict=True)]).sum() + self.last * embedding
