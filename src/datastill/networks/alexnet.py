"""AlexNet of the condensation papers, without normalisation."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from datastill.networks.features import Features
from datastill.networks.layers import Classifier, Convolution
from datastill.networks.network import Network, halved
from datastill.size import Size

KERNELS = (5, 5, 3, 3, 3)
WIDTHS = (128, 192, 256, 192, 192)
POOLED = (True, True, False, False, True)


class AlexNet(Network):
    """Five convolutions with ReLU, maximum pools after the first, second and fifth, a linear classifier; no norm.

    Args:
        channels: Channels of the input, 1 or 3.
        classes: Number of classes.
        size: Height and width of the input in pixels.

    Reference:
        Krizhevsky, Sutskever, Hinton, NeurIPS 2012, in the 32x32 form of Zhao, Mopuri, Bilen, ICLR 2021.
    """

    name = "alexnet"
    summary = "5 convolutions, no norm"

    def __init__(self, channels: int, classes: int, size: Size) -> None:
        super().__init__(channels, classes, size)
        inputs = (channels, *WIDTHS[:-1])
        self.convolutions = nn.ModuleList(
            Convolution(count, width, kernel, padding=kernel // 2) for count, width, kernel in zip(inputs, WIDTHS, KERNELS, strict=True)
        )
        sizes = [self.padded()]
        for pooled in POOLED:
            sizes.append(halved(sizes[-1]) if pooled else sizes[-1])
        self.pools = [before != after for before, after in pairwise(sizes)]
        self.classifier = Classifier(WIDTHS[-1] * sizes[-1][0] * sizes[-1][1], classes)

    def forward(self, images: Tensor) -> Features:
        """Compute the features of ``image channel height width``, normalised per channel."""
        map = self.pad(images)
        blocks = []
        for convolution, pool in zip(self.convolutions, self.pools, strict=True):
            blocks.append(F.relu(convolution(map)))
            map = F.max_pool2d(blocks[-1], 2) if pool else blocks[-1]
        embedding = map.flatten(1)
        return Features(blocks=tuple(blocks), map=map, embedding=embedding, logits=self.classifier(embedding))
