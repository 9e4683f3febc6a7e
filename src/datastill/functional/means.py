"""Class means and the distance between them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def mean_matching(real: Float[Tensor, "class real feature"], synthetic: Float[Tensor, "class synthetic feature"]) -> Float[Tensor, ""]:
    """Sum over classes of the squared distance between the class means.

    ``sum_c |mean_i f(x_i^c) - mean_j f(s_j^c)|^2``

    Args:
        real: Embeddings of real images.
        synthetic: Embeddings of synthetic images; their number per class may differ.

    Returns:
        A scalar, 0 for equal means.

    Reference:
        Zhao, Bilen: Dataset Condensation with Distribution Matching, WACV 2023, arXiv:2110.04181, Eq. 6; Eq. 2 of the IID paper.

    Example:
        >>> import torch
        >>> mean_matching(torch.tensor([[[1.0], [3.0]]]), torch.tensor([[[5.0]]]))
        tensor(9.)
    """
    return (real.mean(1) - synthetic.mean(1)).square().sum()
