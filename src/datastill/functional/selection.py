"""Which images represent a class: herding, farthest-first, and how often each was forgotten."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from datastill.errors import UserError

TIE = 1e-9
"""Distances that differ by less, as a share of the largest one, are equal: the sums they come from round."""


def herding_order(embeddings: Float[Tensor, "image feature"], count: int) -> Int[Tensor, " count"]:
    """Choose images one by one so that their mean stays as close as possible to the mean of the class.

    ``s_t = argmin_{i not chosen} |mu - (sum_{u<t} f(s_u) + f(x_i)) / t|``, mu the mean of f over the class.

    Args:
        embeddings: f of all images of one class.
        count: How many to choose, from 1 to the number of images.

    Returns:
        Their rows, in the order in which they were chosen; of equal images the earlier one.

    Raises:
        UserError: If there are fewer images.

    Reference:
        Welling: Herding Dynamical Weights to Learn, ICML 2009; the greedy form of Rebuffi et al., CVPR 2017, arXiv:1611.07725, Algorithm 4.

    Example:
        >>> import torch
        >>> herding_order(torch.tensor([[0.0], [1.0], [5.0]]), 3)
        tensor([1, 2, 0])
    """
    centred, squares, free = _centred(embeddings, count)
    total, chosen = torch.zeros_like(centred[0]), []
    for _ in range(count):
        # The mean of the class is at 0: the image that brings the sum of the chosen nearest to 0 brings their mean nearest to it.
        chosen.append(_nearest(squares + 2 * centred @ total + total @ total, free))
        free[chosen[-1]] = False
        total += centred[chosen[-1]]
    return torch.tensor(chosen, device=embeddings.device)


def farthest_first_order(embeddings: Float[Tensor, "image feature"], count: int) -> Int[Tensor, " count"]:
    """Choose images one by one, each the farthest from those chosen before it; the first is the nearest to the mean of the class.

    ``s_1 = argmin_i |f(x_i) - mu|``, ``s_t = argmax_i min_{u<t} |f(x_i) - f(s_u)|``

    Args:
        embeddings: f of all images of one class.
        count: How many to choose, from 1 to the number of images.

    Returns:
        Their rows, in the order in which they were chosen; of equal images the earlier one.

    Raises:
        UserError: If there are fewer images.

    Reference:
        Sener, Savarese: Active Learning for Convolutional Neural Networks: A Core-Set Approach, ICLR 2018, arXiv:1708.00489, Algorithm 1.

    Example:
        >>> import torch
        >>> farthest_first_order(torch.tensor([[0.0], [1.0], [5.0], [2.0]]), 3)
        tensor([3, 2, 0])
    """
    centred, squares, free = _centred(embeddings, count)
    chosen = [_nearest(squares, free)]
    distances = torch.full_like(squares, math.inf)
    for _ in range(1, count):
        free[chosen[-1]] = False
        centre = centred[chosen[-1]]
        distances = torch.minimum(distances, squares - 2 * centred @ centre + centre @ centre)
        chosen.append(_nearest(-distances, free))
    return torch.tensor(chosen, device=embeddings.device)


def forgetting_counts(history: Int[Tensor, "epoch image"], *, never_learned: float = math.inf) -> Float[Tensor, " image"]:
    """Count how often every image was classified correctly and, the next time it was seen, wrongly.

    ``n_i = #{t: correct_i(t) = 1, correct_i(t + 1) = 0}``, t over the times that image i was seen.

    Args:
        history: 1 where an image was classified correctly, 0 where wrongly, -1 where the epoch did not see it.
        never_learned: The count of images that were never classified correctly. The paper counts them as forgotten infinitely often; 0
            counts them as never forgotten, since they were never known.

    Returns:
        A count for every image.

    Reference:
        Toneva et al.: An Empirical Study of Example Forgetting during Deep Neural Network Learning, ICLR 2019, arXiv:1812.05159,
        Algorithm 1.

    Example:
        >>> import torch
        >>> forgetting_counts(torch.tensor([[1, 0, 1], [0, 0, -1], [1, 0, 0]]))
        tensor([1., inf, 1.])
    """
    known, counts = torch.zeros_like(history[0], dtype=torch.bool), torch.zeros(history.shape[1])
    for correct in history:
        counts += known & (correct == 0)
        known = torch.where(correct < 0, known, correct == 1)
    return torch.where((history == 1).any(0), counts, never_learned)


def _centred(embeddings: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings about their mean in 64 bits, their squared lengths, and which of them may be chosen: all, if there are enough."""
    if not 1 <= count <= len(embeddings):
        raise UserError(f"cannot choose {count} images of embeddings of shape {tuple(embeddings.shape)}: expected 1 to {len(embeddings)}")
    centred = embeddings.double() - embeddings.double().mean(0)
    return centred, centred.square().sum(1), torch.ones(len(centred), dtype=torch.bool, device=centred.device)


def _nearest(distances: Tensor, free: Tensor) -> int:
    """The first free row of the smallest value, or of one that differs from it by rounding alone."""
    open_ = distances[free]
    close = (distances <= open_.min() + TIE * open_.abs().max()) & free
    return int(close.nonzero()[0])
