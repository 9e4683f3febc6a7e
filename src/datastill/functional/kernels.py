"""Distances between distributions by kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from datastill.errors import UserError


def squared_distances(
    one: Float[Tensor, "class one feature"], other: Float[Tensor, "class other feature"]
) -> Float[Tensor, "class one other"]:
    """Squared distances between all pairs of a class, never below 0."""
    squares = one.square().sum(2)[:, :, None] + other.square().sum(2)[:, None, :]
    return (squares - 2 * one @ other.mT).clamp(min=0)


def kernel_matching(
    real: Float[Tensor, "class real feature"], synthetic: Float[Tensor, "class synthetic feature"], *, scales: Sequence[float]
) -> Float[Tensor, ""]:
    """Sum over classes of the squared maximum mean discrepancy with Gaussian kernels, in units of squared distance.

    ``sum_c mean_b b s_c (mean k_b(x, x') - 2 mean k_b(x, s) + mean k_b(s, s'))`` with ``k_b(u, v) = exp(-|u - v|^2 / (b s_c))`` and ``s_c``
    the mean squared distance between two real images of the class. The factor ``b s_c`` makes it ``2 |mean x - mean s|^2`` for wide
    kernels: what narrower ones add is the distance between all higher moments.

    Args:
        real: Embeddings of real images.
        synthetic: Embeddings of synthetic images; their number per class may differ.
        scales: Widths b of the kernels, in units of ``s_c``.

    Returns:
        A scalar, 0 for equal samples.

    Raises:
        UserError: If a class has a single real image, which has no distances to take a width from.

    Reference:
        Zhang et al., M3D, AAAI 2024, arXiv:2312.15927; Gretton et al., JMLR 13, 2012, Eq. 5 (the biased estimate).
    """
    if real.shape[1] < 2:
        raise UserError(f"kernel matching needs at least two real images per class, got embeddings of shape {tuple(real.shape)}")
    pairs = [squared_distances(*pair) for pair in ((real, real), (real, synthetic), (synthetic, synthetic))]
    unit = pairs[0].detach().mean((1, 2)).clamp(min=torch.finfo(real.dtype).tiny)
    total = torch.zeros((), dtype=synthetic.dtype, device=synthetic.device)
    for scale in scales:
        width = scale * unit
        within, between, among = (torch.exp(-pair / width[:, None, None]).mean((1, 2)) for pair in pairs)
        total = total + (width * (within - 2 * between + among)).sum()
    return total / len(scales)
