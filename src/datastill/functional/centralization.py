"""How far the images of a class lie from their centre."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from datastill.errors import UserError


def squared_spread(synthetic: Float[Tensor, "class image feature"]) -> Float[Tensor, "class image"]:
    """Squared distance of every image from the centre of its class, ``|f(s_j^c) - mean_j f(s_j^c)|^2``.

    Args:
        synthetic: Embeddings, at least two images a class.

    Raises:
        UserError: If a class has a single image, whose spread is always 0.
    """
    if synthetic.shape[1] < 2:
        raise UserError(f"a spread needs at least two images a class, got embeddings of shape {tuple(synthetic.shape)}")
    return (synthetic - synthetic.mean(1, keepdim=True)).square().sum(2)


def hinge_centralization(synthetic: Float[Tensor, "class image feature"], *, alpha: float, beta: float) -> Float[Tensor, ""]:
    """The paper's class centralization: ``sum_c sum_j max(0, exp(alpha d_j^2) - beta)``.

    Below ``beta = 1`` the hinge is always open, as ``exp(alpha d^2) >= 1``; above, images nearer than ``sqrt(log(beta) / alpha)`` are
    left alone.

    Args:
        synthetic: Embeddings, at least two images a class.
        alpha: The scaling factor, above 0.
        beta: The centralization threshold; smaller pulls more.

    Returns:
        A scalar.

    Raises:
        UserError: If a class has a single image.

    Reference:
        IID, CVPR 2024, Eq. 3 and 4.
    """
    return (torch.exp(alpha * squared_spread(synthetic)) - beta).clamp(min=0).sum()


def squared_centralization(synthetic: Float[Tensor, "class image feature"]) -> Float[Tensor, ""]:
    """The published code's class centralization: ``sum_c sum_j d_j^2``, without exponential and threshold.

    Args:
        synthetic: Embeddings, at least two images a class.

    Returns:
        A scalar, 0 where every class is a point.

    Raises:
        UserError: If a class has a single image.

    Reference:
        The reference implementation of IID, CVPR 2024; the first order of Eq. 3 in alpha.
    """
    return squared_spread(synthetic).sum()
