"""The distance between two gradients of a network's weights."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.linalg import vector_norm


def gradient_distance(
    real: Float[Tensor, "row weight"], synthetic: Float[Tensor, "row weight"], *, epsilon: float = 1e-6
) -> Float[Tensor, ""]:
    """Sum over the rows of a layer of one minus the cosine between two gradients.

    ``sum_i (1 - r_i . s_i / (|r_i| |s_i| + epsilon))``, a row holding all weights that lead to one output.

    Args:
        real: r, the gradient of a layer's weights on real images.
        synthetic: s, that on synthetic images.
        epsilon: Above 0; rows of which the product of the lengths is not far above it count as different.

    Returns:
        A scalar from 0 to twice the rows. A row that is zero on either side counts 1.

    Reference:
        Zhao, Mopuri, Bilen: Dataset Condensation with Gradient Matching, ICLR 2021, arXiv:2006.05929, Eq. 10; epsilon is that of the
        published code.

    Example:
        >>> import torch
        >>> gradient_distance(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[6.0, 8.0], [0.0, 2.0]]))
        tensor(1.)
    """
    lengths: Tensor = vector_norm(real, dim=1) * vector_norm(synthetic, dim=1)
    return (1 - (real * synthetic).sum(1) / (lengths + epsilon)).sum()
