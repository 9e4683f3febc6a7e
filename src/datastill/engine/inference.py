"""What a network takes images for."""

from __future__ import annotations

import torch
from torch import Tensor

from datastill.data import ClassImages, DataSet
from datastill.engine import Runner

BLOCK = 1024
"""Images that are floats at a time."""


def predictions(runner: Runner, images: ClassImages, data: DataSet) -> Tensor:
    """Classify every image of a split, without augmentation and with the network in evaluation mode.

    Args:
        runner: Computes the logits of the network.
        images: The split.
        data: Says how its images are normalised.

    Returns:
        ``image``, int64, on the CPU, in the order of `ClassImages.labels`.
    """
    runner.network.eval()
    with torch.no_grad():
        blocks = [
            runner(data.normalise(images.gather(block).to(runner.engine.device))).logits.argmax(1).cpu()
            for block in torch.split(torch.arange(len(images)), BLOCK)
        ]
    runner.network.train()
    return torch.cat(blocks)


def share_correct(runner: Runner, images: Tensor, labels: Tensor) -> float:
    """Share in [0, 1] of normalised ``image channel height width`` that a network classifies as labelled, in evaluation mode."""
    runner.network.eval()
    with torch.no_grad():
        predicted = runner(images).logits.argmax(1).cpu()
    runner.network.train()
    return float((predicted == labels.cpu()).double().mean())
