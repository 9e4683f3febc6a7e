"""Class centralization: the inter-sample constraint of IID."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from datastill.encoders import PretrainedPool
from datastill.errors import UserError, unknown
from datastill.functional import (
    centre_and_spread,
    hinge_centralization,
    joined_spreads,
    relative_centralization,
    squared_centralization,
)
from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms.term import Target, Term

FORMS = ("relative", "hinge", "squared")
SMALLEST_SPREAD = 1e-6
"""A spread below this share of the mean squared length of embeddings is rounding: the class is one point."""


@dataclass(frozen=True)
class ClassCentralization(Term):
    """Pulls the synthetic images of a class together in the embedding of a pretrained network, L_CC.

    ``L_CC = P sum_c mean_j max(0, exp(alpha d_j^2 / S^c) - beta)``, d_j the distance of a synthetic image from the centre of its class, S^c
    the mean squared distance of real images from theirs in the same network, and P the number of values of an image, with which the
    gradient at each of them falls.

    Args:
        weight: lambda_CC.
        form: "relative", as above, means the same on any data, network and width of embedding. "hinge" is Eq. 3 as printed, a sum over
            images with S^c = P = 1: its alpha, which the paper does not give, must suit the scale of the embedding (.3 where squared
            distances are around 3), and its weight is .05 in the paper. "squared" is the plain sum of squared distances of the
            published code.
        alpha: The scaling factor, above 0.
        beta: The threshold. Below 1 it changes the loss but no gradient, as the exponential is never below 1. Above 1, images within
            ``sqrt(log(beta) / alpha)`` of their centre, as a share of the root mean squared distance of real images, are left alone.

    Reference:
        Deng et al.: Exploiting Inter-sample and Inter-feature Relations in Dataset Distillation (IID), CVPR 2024, arXiv:2404.00563, Eq. 3
        and 4; `datastill.functional.relative_centralization`, `hinge_centralization`, `squared_centralization`.
    """

    name = "cc"
    summary = "pulls the synthetic images of a class together in a pretrained embedding (IID, inter-sample)"
    reads = ("embedding",)
    encoder = "pretrained"
    brings = PretrainedPool("resnet18")
    least_images = 2

    weight: float = 6e-4
    form: str = "relative"
    alpha: float = 1.0
    beta: float = 0.5

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise unknown("form of class centralization", self.form, FORMS)
        if not 0 < self.alpha < math.inf:
            raise UserError(f"alpha of class centralization must be above 0 and finite, got {self.alpha}")
        if not math.isfinite(self.beta):
            raise UserError(f"beta of class centralization must be a finite number, got {self.beta}")

    @property
    def source(self) -> str:
        """A fixed sample of real images, whose spread is the unit of the relative form; none in the others (see `Term.source`)."""
        return "sample" if self.form == "relative" else "none"

    def target(self, real: Features) -> Target:
        """The mean squared distance of real images from the centre of their class, and that centre, which parts are joined with.

        Images that are all the same differ by rounding, which is no unit to measure in: their spread is 0.
        """
        centre, spread = centre_and_spread(real.embedding)
        lengths = real.embedding.square().sum(2).mean(1)
        return {"centre": centre, "spread": torch.where(spread > SMALLEST_SPREAD * lengths, spread, 0)}

    def joined(self, one: Target, other: Target, share: float) -> Target:
        """Join centres and spreads (see `Term.joined`)."""
        centre, spread = joined_spreads((one["centre"], one["spread"]), (other["centre"], other["spread"]), share)
        return {"centre": centre, "spread": spread}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute L_CC."""
        if self.form == "squared":
            return squared_centralization(synthetic.embedding)
        if self.form == "hinge":
            return hinge_centralization(synthetic.embedding, alpha=self.alpha, beta=self.beta)
        if synthetic.pixels < 1:
            raise UserError(
                "class centralization in its relative form needs the number of values of an image with the features (see Features.stack), "
                "got none: give it, or use form='squared'"
            )
        return synthetic.pixels * relative_centralization(synthetic.embedding, target["spread"], alpha=self.alpha, beta=self.beta)

    def share(self, read: int, images: int) -> float:
        """The part of the squared distances of all images from their mean that those read have, in expectation (see `Term.share`).

        Of their sum, or in the relative form of their mean; exact for the squared form, and for the others where the exponential is nearly
        straight.
        """
        of_the_sum = (read - 1) / (images - 1)
        return of_the_sum * images / read if self.form == "relative" else of_the_sum

    @classmethod
    def suited(cls, setting: Setting) -> ClassCentralization:
        """The squared form with the preset "code", its weight by IPC; elsewhere the relative form, whose weight serves every IPC."""
        return cls(weight=0.05 if setting.ipc <= 10 else 0.003, form="squared") if setting.preset == "code" else cls()

    @classmethod
    def brought(cls, setting: Setting) -> PretrainedPool:
        """The paper's ResNet18; for small images a ConvNet, which serves them as well after seconds (results/teachers-digits)."""
        return PretrainedPool("convnet") if setting.small else cls.brings
