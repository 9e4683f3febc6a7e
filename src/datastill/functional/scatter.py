"""How far features are spread within their classes, and the classes from each other."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from datastill.errors import UserError
from datastill.functional.covariances import local_covariance


def scatter(features: Float[Tensor, "image feature"], labels: Int[Tensor, " image"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Scatter within and between classes, each the trace of its scatter matrix, divided by the number of images N.

    ``S_W = 1/N sum_c sum_{i in c} |f_i - m_c|^2`` and ``S_B = 1/N sum_c n_c |m_c - m|^2``, with m_c the mean of class c and m that of all.
    Their sum is the mean squared distance of an image from m.

    Args:
        features: Of all classes, N rows.
        labels: The class of every row; classes without an image count for nothing.

    Returns:
        S_W and S_B.

    Raises:
        UserError: If there is no image.

    Reference:
        Fisher: The use of multiple measurements in taxonomic problems, 1936; Fukunaga: Statistical Pattern Recognition, 1990, section 10.2.
    """
    if not len(features):
        raise UserError("scatter needs at least one image, got none")
    classes = int(labels.max()) + 1
    counts = labels.bincount(minlength=classes)
    sums = features.new_zeros(classes, features.shape[1]).index_add_(0, labels, features)
    means = sums / counts.clamp(min=1)[:, None]
    within = (features - means[labels]).square().sum() / len(features)
    between = (counts * (means - features.mean(0)).square().sum(1)).sum() / len(features)
    return within, between


def covariance_distance(
    real: Float[Tensor, "real channel height width"], synthetic: Float[Tensor, "synthetic channel height width"]
) -> Float[Tensor, ""]:
    """Frobenius distance of the local covariances of one class, in units of that of the real images: ``|Sigma_s - Sigma_r| / |Sigma_r|``.

    Args:
        real: Feature maps of real images of a class, at least two.
        synthetic: Of synthetic images of that class, at least two.

    Returns:
        A scalar; 0 for equal covariances, 1 for images that are all the same.

    Raises:
        UserError: If there is a single image, as in `local_covariance`.

    Reference:
        The covariances are those of IID, CVPR 2024, Eq. 6 and 7; there the squared distance is not divided.
    """
    reference = local_covariance(real[None])
    difference = local_covariance(synthetic[None]) - reference
    return difference.square().sum().sqrt() / reference.square().sum().sqrt()
