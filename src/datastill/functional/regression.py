"""Kernel ridge regression, and the kernel of an infinitely wide network in closed form."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from datastill.errors import UserError

EDGE = 1e-12
"""How near to 1 or -1 a cosine counts as equal to it: the angle's derivative is infinite there, while that of the kernel is not needed."""


def arc_cosines(cosine: Float[Tensor, "one other"]) -> tuple[Float[Tensor, "one other"], Float[Tensor, "one other"]]:
    """The arc-cosine kernels of degree 0 and 1, for inputs of length 1.

    ``k0(c) = (pi - arccos c) / pi`` and ``k1(c) = (sqrt(1 - c^2) + c (pi - arccos c)) / pi``: twice the expectation of step(u) step(v) and
    of relu(u) relu(v) over standard normal u, v with correlation c. ``k1' = k0``.

    Args:
        cosine: Of the angle between two inputs, from -1 to 1.

    Returns:
        k0 and k1, each from 0 to 1.

    Reference:
        Cho, Saul: Kernel Methods for Deep Learning, NIPS 2009, Eqs. 1 to 6.
    """
    inside = cosine.clamp(-1 + EDGE, 1 - EDGE)
    angle = torch.arccos(inside)
    step = (math.pi - angle) / math.pi
    return step, ((1 - inside.square()).sqrt() + inside * (math.pi - angle)) / math.pi


def tangent_kernel(
    one: Float[Tensor, "one feature"], other: Float[Tensor, "other feature"], *, hidden: int, bias: float
) -> Float[Tensor, "one other"]:
    """The neural tangent kernel of a fully connected ReLU network of infinite width, between all pairs.

    ``S_1 = 2 x.x' / d + b^2``, ``T_1 = S_1``; with c the cosine that S_l gives, ``S_{l+1} = sqrt(S_l(x, x) S_l(x', x')) k1(c) + b^2`` and
    ``T_{l+1} = S_{l+1} + T_l k0(c)``; the result is T after the last hidden layer. Weights have variance 2 / width, biases b^2.

    Args:
        one: Inputs x.
        other: Inputs x'.
        hidden: Hidden layers, 0 for a linear kernel.
        bias: The standard deviation b of biases, at least 0.

    Reference:
        Jacot et al.: Neural Tangent Kernel, NeurIPS 2018, arXiv:1806.07572, Theorem 1; Lee et al., arXiv:1902.06720, for the ReLU.

    Example:
        >>> x = torch.tensor([[2.0, 0.0]], dtype=torch.float64)
        >>> round(float(tangent_kernel(x, x, hidden=1, bias=0.0)), 4)  # 2 |x|^2 / d = 4, once for each of two layers
        8.0
    """
    size = one.shape[1]
    mine, theirs = (2 * each.square().sum(1) / size + bias**2 for each in (one, other))
    covariance = 2 * one @ other.mT / size + bias**2
    tangent = covariance
    for _ in range(hidden):
        length = (mine[:, None] * theirs[None]).clamp(min=torch.finfo(one.dtype).tiny).sqrt()
        step, relu = arc_cosines(covariance / length)
        covariance = length * relu + bias**2
        tangent = covariance + tangent * step
        mine, theirs = mine + bias**2, theirs + bias**2
    return tangent


def ridge_weights(
    kernel: Float[Tensor, "image image"], labels: Float[Tensor, "image class"], *, ridge: float, relative: bool
) -> Float[Tensor, "image class"]:
    """The weights of kernel ridge regression: ``(K + r I)^-1 y``; the prediction for t is ``K_ts`` times them.

    Args:
        kernel: K between all pairs of the images that are learned from.
        labels: Their labels y.
        ridge: What is added to the diagonal, above 0.
        relative: Whether the ridge is in units of the kernel's mean diagonal, ``r = ridge * tr(K) / n``, or absolute, ``r = ridge``.

    Raises:
        UserError: If the system cannot be solved.

    Reference:
        Nguyen, Chen, Lee: Dataset Meta-Learning from Kernel Ridge-Regression, ICLR 2021, arXiv:2011.00050, Eq. 7.
    """
    added = ridge * kernel.diagonal().mean() if relative else torch.as_tensor(ridge, dtype=kernel.dtype, device=kernel.device)
    factor, failed = torch.linalg.cholesky_ex(kernel + added * torch.eye(len(kernel), dtype=kernel.dtype, device=kernel.device))
    if int(failed):
        raise UserError(f"the kernel of the images is not positive definite with a ridge of {ridge:g}: use a larger `ridge`")
    return torch.cholesky_solve(labels, factor)
