"""Batches cut into micro-batches of one size, so that nothing is compiled twice."""

from __future__ import annotations

import torch
from torch import Tensor


def pieces(images: Tensor, size: int) -> list[Tensor]:
    """Cut a batch into micro-batches of one size, the last one padded with zero images."""
    missing = -len(images) % size
    if missing:
        images = torch.cat([images, images.new_zeros(missing, *images.shape[1:])])
    return list(torch.split(images, size))


def shares(images: Tensor, labels: Tensor, size: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Cut a labelled batch into micro-batches of one size, each with the shares of its images in the batch's mean: 0 for padding."""
    share = torch.full((len(images),), 1 / len(images), dtype=images.dtype, device=images.device)
    return list(zip(*(pieces(each, size) for each in (images, labels, share)), strict=True))


def even_micro_batch(count: int, limit: int) -> int:
    """The size of the fewest micro-batches of at most `limit` images, as even as possible.

    Example:
        >>> even_micro_batch(100, 64), even_micro_batch(2560, 64), even_micro_batch(7, 64)
        (50, 64, 7)
    """
    return -(-count // -(-count // limit))
