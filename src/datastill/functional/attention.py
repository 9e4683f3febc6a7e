"""Spatial attention of feature maps and the distance between its class means."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def spatial_attention(map: Float[Tensor, "class image channel height width"], *, power: int) -> Float[Tensor, "class image position"]:
    """Where the map of every image is strong: ``sum_channel |A|^p``, flattened and of length 1.

    Args:
        map: Feature maps after the activation.
        power: The exponent p; larger ones look at the strongest channels only.

    Returns:
        One unit vector over positions for every image; 0 for a map that is 0 everywhere.

    Reference:
        Sajedi et al., DataDAM, ICCV 2023, arXiv:2310.00093, Eq. 1 and section 3.2.
    """
    return F.normalize(map.abs().pow(power).sum(2).flatten(2), dim=2)


def attention_matching(
    mean: Float[Tensor, "class position"],
    synthetic: Float[Tensor, "class synthetic channel height width"],
    *,
    power: int,
) -> Float[Tensor, ""]:
    """Sum over classes of the squared distance between the class means of spatial attention.

    ``sum_c |mean_i z(x_i^c) - mean_j z(s_j^c)|^2``, z the `spatial_attention`.

    Args:
        mean: Class means of the spatial attention of real images, with the same exponent.
        synthetic: Feature maps of synthetic images.
        power: The exponent p.

    Returns:
        A scalar, 0 for equal means.

    Reference:
        Sajedi et al., DataDAM, ICCV 2023, arXiv:2310.00093, Eq. 2, of one layer.
    """
    return (mean - spatial_attention(synthetic, power=power).mean(1)).square().sum()
