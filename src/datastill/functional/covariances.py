"""Covariances of local features and the distance between them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from datastill.errors import UserError
from datastill.functional.means import joined_means


def local_covariance(map: Float[Tensor, "class image channel height width"]) -> Float[Tensor, "class channel channel"]:
    """Covariance between channels, from the local descriptors of every position of every image of a class.

    ``Sigma^c = 1/K sum_i (X_i - Xbar)(X_i - Xbar)^T`` with ``X_i`` of shape (d, hw) and ``Xbar`` the mean over images at each position.
    It is not divided by hw.

    Args:
        map: Feature maps, at least two images per class.

    Returns:
        One symmetric matrix per class.

    Raises:
        UserError: If a class has a single image.

    Reference:
        IID, CVPR 2024, Eq. 6 and 7.
    """
    if map.shape[1] < 2:
        raise UserError(f"a covariance needs at least two images per class, got a map of shape {tuple(map.shape)}")
    return local_moments(map)[1]


Moments = tuple[Float[Tensor, "class channel position"], Float[Tensor, "class channel channel"]]
"""The mean over images at each position, ``Xbar``, and the local covariance about it."""


def local_moments(map: Float[Tensor, "class image channel height width"]) -> Moments:
    """Mean over images at each position, and `local_covariance` about it, which is 0 for a single image."""
    mean = map.mean(1, keepdim=True)
    descriptors = (map - mean).flatten(3).transpose(1, 2).flatten(2)
    return mean[:, 0].flatten(2), descriptors @ descriptors.mT / map.shape[1]


def joined_moments(one: Moments, other: Moments, share: float) -> Moments:
    """The moments of all images from the moments of two parts of them.

    ``Sigma = (1 - t) Sigma_1 + t Sigma_2 + t (1 - t) (Xbar_2 - Xbar_1)(Xbar_2 - Xbar_1)^T``: exact, and as accurate as two passes over the
    images, as nothing large is subtracted from something large.

    Args:
        one: Moments of some images.
        other: Moments of the others.
        share: Of the others in all images, t in (0, 1).

    Reference:
        Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances, 1979, Eq. 2.1.
    """
    difference = other[0] - one[0]
    between = difference @ difference.mT
    return joined_means(one[0], other[0], share), joined_means(one[1], other[1], share) + share * (1 - share) * between


def covariance_matching(
    covariance: Float[Tensor, "class channel channel"], synthetic: Float[Tensor, "class synthetic channel height width"]
) -> Float[Tensor, ""]:
    """Sum over classes of the squared Frobenius distance between the local covariances.

    ``L_CM = sum_c |Sigma_s^c - Sigma_t^c|^2``

    Args:
        covariance: Local covariances of real images (`local_covariance`).
        synthetic: Feature maps of synthetic images, at least two per class.

    Returns:
        A scalar, 0 for equal covariances.

    Raises:
        UserError: If a class has a single image.

    Reference:
        IID, CVPR 2024, Eq. 5.
    """
    return (covariance - local_covariance(synthetic)).square().sum()
