"""Kernel matching: the loss of M3D."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from datastill.functional import kernel_matching
from datastill.networks import Features
from datastill.terms.term import Term

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Widths of the kernels, in units of the mean squared distance between two real images of a class."""


@dataclass(frozen=True)
class KernelMatching(Term):
    """Squared maximum mean discrepancy of the embeddings with Gaussian kernels of several widths, L_MMD.

    Args:
        weight: Its factor in the loss; with .5 wide kernels pull as mean matching does.

    Reference:
        Zhang et al., M3D, AAAI 2024, arXiv:2312.15927; `datastill.functional.kernel_matching`.
    """

    name = "km"
    summary = "maximum mean discrepancy with Gaussian kernels, which compares all moments (M3D)"
    reads = ("embedding",)

    weight: float = 0.5

    def __call__(self, real: Features, synthetic: Features) -> Tensor:
        """Compute L_MMD."""
        return kernel_matching(real.embedding, synthetic.embedding, scales=SCALES)
