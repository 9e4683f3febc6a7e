"""Covariances of local features and the distance between them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from datastill.errors import UserError


def local_covariance(map: Float[Tensor, "class image channel height width"]) -> Float[Tensor, "class channel channel"]:
    """Covariance between channels, from the local descriptors of every position of every image of a class.

    ``Sigma^c = 1/K sum_i (X_i - Xbar)(X_i - Xbar)^T`` with ``X_i`` of shape (d, hw) and ``Xbar`` the mean over images at each position.
    It is not divided by hw.

    Args:
        map: Feature maps, at least two images a class.

    Returns:
        One symmetric matrix per class.

    Raises:
        UserError: If a class has a single image.

    Reference:
        IID, CVPR 2024, Eq. 6 and 7.
    """
    images = map.shape[1]
    if images < 2:
        raise UserError(f"a covariance needs at least two images a class, got a map of shape {tuple(map.shape)}")
    descriptors = (map - map.mean(1, keepdim=True)).flatten(3).transpose(1, 2).flatten(2)
    return descriptors @ descriptors.mT / images


def covariance_matching(
    real: Float[Tensor, "class real channel height width"], synthetic: Float[Tensor, "class synthetic channel height width"]
) -> Float[Tensor, ""]:
    """Sum over classes of the squared Frobenius distance between the local covariances.

    ``L_CM = sum_c |Sigma_s^c - Sigma_t^c|^2``

    Args:
        real: Feature maps of real images, at least two a class.
        synthetic: Feature maps of synthetic images, at least two a class.

    Returns:
        A scalar, 0 for equal covariances.

    Raises:
        UserError: If a class has a single image.

    Reference:
        IID, CVPR 2024, Eq. 5.
    """
    return (local_covariance(real) - local_covariance(synthetic)).square().sum()
