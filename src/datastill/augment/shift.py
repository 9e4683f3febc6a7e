"""Mirror and shift, the augmentation that networks are pretrained with."""

from __future__ import annotations

import torch
from torch import Tensor


def flip_and_shift(images: Tensor, *, flip: bool, generator: torch.Generator) -> Tensor:
    """Mirror half of the images and shift each by up to an eighth of the side, zeros entering.

    Args:
        images: Normalised ``image channel height width``.
        flip: Whether to mirror at all.
        generator: The source of randomness.
    """
    count, channels, height, width = images.shape
    reach = max(1, round(max(height, width) / 8))
    if flip:
        mirrored = torch.rand(count, generator=generator).to(images.device) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    padded = torch.nn.functional.pad(images, (reach,) * 4)
    down, right = torch.randint(0, 2 * reach + 1, (2, count), generator=generator).to(images.device)
    rows = (down[:, None] + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (right[:, None] + torch.arange(width, device=images.device))[:, None, None, :]
    image = torch.arange(count, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return padded[image, channel, rows, columns]
