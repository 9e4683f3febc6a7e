"""CutMix: a rectangle of every image of a batch comes from another one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from datastill.size import Size


def rectangle(size: Size, generator: torch.Generator) -> tuple[slice, slice]:
    """Draw a rectangle whose share of the image is uniform in [0, 1), its centre anywhere; what lies outside of the image is cut off.

    Args:
        size: Height and width in pixels.
        generator: The source of randomness.

    Returns:
        Rows and columns.
    """
    side = math.sqrt(float(torch.rand((), generator=generator)))

    def along(length: int) -> slice:
        centre, reach = int(torch.randint(length, (), generator=generator)), int(length * side) // 2
        return slice(max(0, centre - reach), min(length, centre + reach))

    return along(size[0]), along(size[1])


def cutmix(images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Put one rectangle of another image of the batch into every image, at the same place of both.

    Args:
        images: ``image channel height width``.
        generator: The source of randomness: the rectangle, and which image goes into which.

    Returns:
        The mixed images; int64 ``image``, whose rectangle each has; the share in [0, 1] of its pixels that are still its own.

    Reference:
        Yun et al.: CutMix, ICCV 2019, arXiv:1905.04899, with beta = 1; as in the published code of IDC (Kim et al., ICML 2022,
        arXiv:2205.14959), where one rectangle is drawn for a batch.
    """
    height, width = images.shape[2:]
    rows, columns = rectangle((height, width), generator)
    other = torch.randperm(len(images), generator=generator).to(images.device)
    mixed = images.clone()
    mixed[:, :, rows, columns] = images[other][:, :, rows, columns]
    return mixed, other, 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
