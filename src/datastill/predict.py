"""What a network takes images for."""

from __future__ import annotations

import torch
from torch import Tensor

from datastill.data import ClassImages, DataSet
from datastill.engine import Runner

BLOCK = 1024
"""Images that are floats at a time."""


def predictions(runner: Runner, images: ClassImages, data: DataSet) -> Tensor:
    """Classify every image of a split, without augmentation.

    Args:
        runner: Computes the logits of the network.
        images: The split.
        data: Says how its images are normalised.

    Returns:
        ``image``, int64, on the CPU, in the order of `ClassImages.labels`.
    """
    with torch.no_grad():
        blocks = [
            runner(data.normalise(images.gather(block).to(runner.engine.device))).logits.argmax(1).cpu()
            for block in torch.split(torch.arange(len(images)), BLOCK)
        ]
    return torch.cat(blocks)
