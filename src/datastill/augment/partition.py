"""Partition and expand: one stored image is a grid of smaller ones, each enlarged where images are used."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.errors import UserError

LEAST_SIDE = 4
"""Pixels a side that a part must have at least."""


def expand(images: Tensor, factor: int) -> Tensor:
    """Cut images into ``factor x factor`` parts and enlarge each to the whole size; gradients flow.

    Sides that the factor does not divide are cut as evenly as whole pixels allow.

    Args:
        images: ``image channel height width``.
        factor: Parts per side; 1 leaves images as they are.

    Returns:
        ``image*factor**2 channel height width``: the parts of an image one after another, row by row.

    Reference:
        Zhao, Li, Qin, Yu: Improved Distribution Matching, CVPR 2023, arXiv:2307.09742, partitioning and expansion; bilinear as in the
        published code.
    """
    if factor == 1:
        return images
    height, width = check_factor(factor, images.shape[2], images.shape[3])
    parts = [
        F.interpolate(images[:, :, top:bottom, left:right], size=(height, width), mode="bilinear", align_corners=False)
        for top, bottom in _cuts(height, factor)
        for left, right in _cuts(width, factor)
    ]
    return torch.stack(parts, 1).flatten(0, 1)


def pack(images: Tensor, factor: int) -> Tensor:
    """Make images whose parts are smaller versions of others: what `expand` undoes, but for the resolution.

    Args:
        images: ``image*factor**2 channel height width``.
        factor: Parts per side.

    Returns:
        ``image channel height width``.
    """
    if factor == 1:
        return images
    height, width = check_factor(factor, images.shape[2], images.shape[3])
    groups = torch.unflatten(images, 0, (-1, factor**2))
    packed = groups.new_empty(len(groups), *images.shape[1:])
    cells = [(rows, columns) for rows in _cuts(height, factor) for columns in _cuts(width, factor)]
    for number, ((top, bottom), (left, right)) in enumerate(cells):
        small = F.interpolate(groups[:, number], size=(bottom - top, right - left), mode="bilinear", antialias=True, align_corners=False)
        packed[:, :, top:bottom, left:right] = small
    return packed


def check_factor(factor: int, height: int, width: int) -> tuple[int, int]:
    """Check that parts, where there are any, keep at least `LEAST_SIDE` pixels per side, and return the size.

    Raises:
        UserError: If they do not, or the factor is below 1.
    """
    if factor < 1 or (factor > 1 and min(height, width) // factor < LEAST_SIDE):
        raise UserError(
            f"images of {height}x{width} pixels cannot be cut into {factor}x{factor} parts: expected a factor of at least 1 that leaves "
            f"{LEAST_SIDE} pixels per side, so at most {max(1, min(height, width) // LEAST_SIDE)}"
        )
    return height, width


def _cuts(side: int, factor: int) -> list[tuple[int, int]]:
    edges = [round(number * side / factor) for number in range(factor + 1)]
    return list(pairwise(edges))
