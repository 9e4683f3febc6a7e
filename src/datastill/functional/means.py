"""Class means and the distance between them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def joined_means(one: Float[Tensor, "*shape"], other: Float[Tensor, "*shape"], share: float) -> Float[Tensor, "*shape"]:
    """The mean of all images from the means of two parts of them.

    Args:
        one: The mean of some images.
        other: The mean of the others.
        share: Of the others in all images, in (0, 1).

    Example:
        >>> import torch
        >>> joined_means(torch.tensor([1.0]), torch.tensor([4.0]), 1 / 3)
        tensor([2.])
    """
    return one + share * (other - one)


def mean_matching(mean: Float[Tensor, "class feature"], synthetic: Float[Tensor, "class synthetic feature"]) -> Float[Tensor, ""]:
    """Sum over classes of the squared distance between the class means.

    ``sum_c |mean_i f(x_i^c) - mean_j f(s_j^c)|^2``

    Args:
        mean: Class means of the embeddings of real images.
        synthetic: Embeddings of synthetic images.

    Returns:
        A scalar, 0 for equal means.

    Reference:
        Zhao, Bilen: Dataset Condensation with Distribution Matching, WACV 2023, arXiv:2110.04181, Eq. 6; Eq. 2 of the IID paper.

    Example:
        >>> import torch
        >>> mean_matching(torch.tensor([[2.0]]), torch.tensor([[[5.0]]]))
        tensor(9.)
    """
    return (mean - synthetic.mean(1)).square().sum()
