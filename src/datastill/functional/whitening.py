"""Whitening by a covariance."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def zca(
    covariance: Float[Tensor, "feature feature"], epsilon: float
) -> tuple[Float[Tensor, "feature feature"], Float[Tensor, "feature feature"]]:
    """The symmetric matrix that whitens, and its inverse.

    ``W = U (S + e I)^{-1/2} U^T`` and ``W^{-1} = U (S + e I)^{1/2} U^T`` with ``C = U S U^T``. Centred vectors x with the covariance C have
    ``cov(W x) = U S (S + e I)^{-1} U^T``: the identity but for directions of a variance that is not large beside e. Of all whitening
    matrices it is the one that changes vectors least, so that images stay images.

    Args:
        covariance: C, symmetric, in 64 bits.
        epsilon: e, above 0, in units of variance. No direction is made longer than ``e^{-1/2}`` times.

    Reference:
        Bell, Sejnowski: The independent components of natural scenes are edge filters, Vision Research 1997 (zero-phase whitening);
        Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009, Appendix A.

    Example:
        >>> whitening, inverse = zca(torch.tensor([[3.0, 0.0], [0.0, 0.0]], dtype=torch.float64), 1.0)
        >>> whitening.tolist(), inverse.tolist()
        ([[0.5, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 1.0]])
    """
    variances, directions = torch.linalg.eigh(covariance)
    scale = (variances.clamp(min=0) + epsilon).sqrt()
    return (directions / scale) @ directions.mT, (directions * scale) @ directions.mT
