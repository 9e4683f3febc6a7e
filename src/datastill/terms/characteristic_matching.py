"""Characteristic-function matching: the loss of NCFM without its sampling network."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from datastill.configuration import check_fields
from datastill.errors import UserError
from datastill.functional import characteristic_function, characteristic_matching, frequencies
from datastill.networks import Features
from datastill.terms.term import Target, Term


@dataclass(frozen=True)
class CharacteristicMatching(Term):
    """Distance between the characteristic functions of real and synthetic embeddings of length 1, L_CF.

    The frequencies are always the same ones. NCFM draws them by a network that is trained against the images, which is left out here.

    Args:
        weight: Its factor in the loss; 300 in the published code.
        frequencies: How many normal frequencies.

    Reference:
        Wang et al.: Dataset Distillation with Neural Characteristic Function, CVPR 2025, arXiv:2502.20653;
        `datastill.functional.characteristic_matching`.
    """

    name = "cf"
    summary = "distance between characteristic functions of normalised embeddings (NCFM without its sampling network)"
    reads = ("embedding",)

    weight: float = 300.0
    frequencies: int = 4096

    def __post_init__(self) -> None:
        check_fields(self)
        if self.frequencies < 1:
            raise UserError(f"the frequencies of characteristic matching must be at least 1, got {self.frequencies}")

    def target(self, real: Features) -> Target:
        """The characteristic functions of the real embeddings."""
        return {"function": self._function(real)}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute L_CF."""
        return characteristic_matching(target["function"], self._function(synthetic))

    def _function(self, features: Features) -> Tensor:
        embedding = features.embedding
        return characteristic_function(embedding, frequencies(embedding.shape[2], self.frequencies, embedding.dtype, embedding.device))
