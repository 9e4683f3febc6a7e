"""How far the images of a class lie from their centre."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from datastill.errors import UserError
from datastill.functional.means import joined_means

LARGEST_EXPONENT = 3.0
"""Above it the exponential continues as its tangent. At alpha = 1 few real images pass it (digits, five per class: .8 on average, at most
3.4); images that optimisation has moved off the real ones reach 10 and more, where the exponential would push them further away."""


def squared_spread(synthetic: Float[Tensor, "class image feature"]) -> Float[Tensor, "class image"]:
    """Squared distance of every image from the centre of its class, ``|f(s_j^c) - mean_j f(s_j^c)|^2``.

    Args:
        synthetic: Embeddings, at least two images per class.

    Raises:
        UserError: If a class has a single image, whose spread is always 0.
    """
    if synthetic.shape[1] < 2:
        raise UserError(f"a spread needs at least two images per class, got embeddings of shape {tuple(synthetic.shape)}")
    return (synthetic - synthetic.mean(1, keepdim=True)).square().sum(2)


def mean_spread(real: Float[Tensor, "class image feature"]) -> Float[Tensor, "class"]:
    """Mean squared distance of the images of every class from their centre, ``S^c = 1/N sum_i |f(x_i^c) - mean_i f(x_i^c)|^2``.

    Args:
        real: Embeddings, at least two images per class.

    Raises:
        UserError: If a class has a single image.
    """
    return squared_spread(real).mean(1)


Spread = tuple[Float[Tensor, "class feature"], Float[Tensor, "class"]]
"""The centre of every class, and the mean squared distance from it."""


def centre_and_spread(real: Float[Tensor, "class image feature"]) -> Spread:
    """The centre of every class and its `mean_spread`, which is 0 for a single image."""
    centre = real.mean(1)
    return centre, (real - centre[:, None]).square().sum(2).mean(1)


def joined_spreads(one: Spread, other: Spread, share: float) -> Spread:
    """Centre and spread of all images from those of two parts of them.

    ``S = (1 - t) S_1 + t S_2 + t (1 - t) |fbar_2 - fbar_1|^2``

    Args:
        one: Of some images.
        other: Of the others.
        share: Of the others in all images, t in (0, 1).
    """
    between = (other[0] - one[0]).square().sum(1)
    return joined_means(one[0], other[0], share), joined_means(one[1], other[1], share) + share * (1 - share) * between


def relative_centralization(
    synthetic: Float[Tensor, "class image feature"], spread: Float[Tensor, "class"], *, alpha: float, beta: float
) -> Float[Tensor, ""]:
    """The paper's class centralization with distances in units of the real spread: ``sum_c mean_j max(0, exp(alpha d_j^2 / S^c) - beta)``.

    Multiplying the embedding by a constant changes neither value nor gradient, so alpha and beta mean the same in every network. Images of
    a class keep a radius of ``sqrt(log(beta) / alpha)`` times the root of the real spread if beta is above 1; below, the hinge is always
    open and beta changes no gradient. A class whose real images are one point (``S^c = 0``) is left alone. Above an exponent of 3 the
    exponential is continued by its tangent. Unlike Eq. 3 it is a mean over the images of a class, as matching losses are, so that one
    weight serves every IPC.

    Args:
        synthetic: Embeddings, at least two images per class.
        spread: Mean squared distance of real images of each class from their centre, in the same embedding (`mean_spread`), at least 0.
        alpha: The scaling factor, above 0.
        beta: The centralization threshold.

    Returns:
        A scalar.

    Raises:
        UserError: If a class has a single image.

    Reference:
        IID, CVPR 2024, Eq. 3 and 4, with the scale that the paper leaves open.
    """
    if spread.shape != synthetic.shape[:1]:
        raise UserError(f"expected a spread for each of {len(synthetic)} classes, got a tensor of shape {tuple(spread.shape)}")
    unit = spread[:, None]
    exponent = alpha * torch.where(unit > 0, squared_spread(synthetic) / torch.where(unit > 0, unit, 1), 0)
    return (_bounded_exponential(exponent) - beta).clamp(min=0).mean(1).sum()


def _bounded_exponential(exponent: Tensor) -> Tensor:
    """The exponential, continued by its tangent above `LARGEST_EXPONENT`."""
    return torch.exp(exponent.clamp(max=LARGEST_EXPONENT)) * (1 + (exponent - LARGEST_EXPONENT).clamp(min=0))


def hinge_centralization(synthetic: Float[Tensor, "class image feature"], *, alpha: float, beta: float) -> Float[Tensor, ""]:
    """The paper's class centralization: ``sum_c sum_j max(0, exp(alpha d_j^2) - beta)``.

    Below ``beta = 1`` the hinge is always open, as ``exp(alpha d^2) >= 1``; above, images nearer than ``sqrt(log(beta) / alpha)`` are
    left alone.

    Args:
        synthetic: Embeddings, at least two images per class.
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
        synthetic: Embeddings, at least two images per class.

    Returns:
        A scalar, 0 where every class is a point.

    Raises:
        UserError: If a class has a single image.

    Reference:
        The reference implementation of IID, CVPR 2024; the first order of Eq. 3 in alpha.
    """
    return squared_spread(synthetic).sum()
