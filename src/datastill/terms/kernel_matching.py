"""Kernel matching: the loss of M3D."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from datastill.errors import UserError
from datastill.functional import kernel_matching
from datastill.networks import Features
from datastill.terms.term import Target, Term


@dataclass(frozen=True)
class KernelMatching(Term):
    """Squared maximum mean discrepancy of the embeddings with Gaussian kernels of several widths, L_MMD.

    Args:
        weight: Its factor in the loss; with .5 wide kernels pull as mean matching does.
        scales: Widths of the kernels, in units of the mean squared distance between two real images of a class.

    Reference:
        Zhang et al., M3D, AAAI 2024, arXiv:2312.15927; `datastill.functional.kernel_matching`.
    """

    name = "km"
    summary = "maximum mean discrepancy with Gaussian kernels, which compares all moments (M3D)"
    reads = ("embedding",)
    everything = True
    least_real = 2

    weight: float = 0.5
    scales: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)

    def __post_init__(self) -> None:
        if not self.scales or not all(0 < scale < math.inf for scale in self.scales):
            raise UserError(f"the scales of kernel matching must be numbers above 0, got {self.scales}")

    def target(self, real: Features) -> Target:
        """Every real embedding."""
        return {"embedding": real.embedding}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute L_MMD."""
        return kernel_matching(target["embedding"], synthetic.embedding, scales=self.scales)
