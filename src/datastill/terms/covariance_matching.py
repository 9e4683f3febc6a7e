"""Covariance matching: the inter-feature constraint of IID."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from datastill.functional import covariance_matching, joined_moments, local_moments
from datastill.networks import Features
from datastill.terms.term import Target, Term


@dataclass(frozen=True)
class CovarianceMatching(Term):
    """Distance between the local feature covariances of real and synthetic images, L_CM.

    Args:
        weight: lambda_CM; .01 in the paper for every setting.

    Reference:
        Deng et al.: Exploiting Inter-sample and Inter-feature Relations in Dataset Distillation (IID), CVPR 2024, arXiv:2404.00563, Eq. 5
        to 7; `datastill.functional.covariance_matching`.
    """

    name = "cm"
    summary = "squared distance between local feature covariances of real and synthetic images (IID, inter-feature)"
    reads = ("map",)
    least_images = 2
    least_real = 2

    weight: float = 0.01

    def target(self, real: Features) -> Target:
        """The local covariance, and the mean over images that it is taken about, which parts are joined with."""
        mean, covariance = local_moments(real.map)
        return {"mean": mean, "covariance": covariance}

    def joined(self, one: Target, other: Target, share: float) -> Target:
        """Join means and covariances (see `Term.joined`)."""
        mean, covariance = joined_moments((one["mean"], one["covariance"]), (other["mean"], other["covariance"]), share)
        return {"mean": mean, "covariance": covariance}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute L_CM."""
        return covariance_matching(target["covariance"], synthetic.map)
