"""Covariance matching: the inter-feature constraint of IID."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from datastill.functional import covariance_matching
from datastill.networks import Features
from datastill.terms.term import Term


@dataclass(frozen=True)
class CovarianceMatching(Term):
    """Distance between the local feature covariances of real and synthetic images, L_CM.

    Args:
        weight: lambda_CM; .01 in the paper for every setting.

    Reference:
        IID, CVPR 2024, Eq. 5 to 7; `datastill.functional.covariance_matching`.
    """

    name = "cm"
    summary = "squared distance between local feature covariances of real and synthetic images (IID, inter-feature)"
    reads = ("map",)
    least_images = 2
    least_real = 2

    weight: float = 0.01

    def __call__(self, real: Features, synthetic: Features) -> Tensor:
        """Compute L_CM."""
        return covariance_matching(real.map, synthetic.map)
