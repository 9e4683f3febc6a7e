"""Layer matching: the feature alignment of CAFE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from datastill.functional import mean_matching
from datastill.networks import Features
from datastill.terms.term import Target, Term


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

    def target(self, real: Features) -> Target:
        """The class means of every block, by its number, and of the embedding."""
        blocks = {str(number): block.flatten(2).mean(1) for number, block in enumerate(real.blocks)}
        return {**blocks, "embedding": real.embedding.mean(1)}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute L_f."""
        embedding = mean_matching(target["embedding"], synthetic.embedding)
        blocks = [mean_matching(target[str(number)], block.flatten(2)) for number, block in enumerate(synthetic.blocks)]
        factors = [self.early if number < 2 else self.late for number in range(len(blocks))]
        return torch.stack([factor * block for factor, block in zip(factors, blocks, strict=True)]).sum() + self.last * embedding
