"""VGG11 with instance norm."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from datastill.networks.features import Features
from datastill.networks.layers import Classifier, Convolution, InstanceNorm
from datastill.networks.network import Network, halved
from datastill.size import Size

WIDTHS = (64, 128, 256, 256, 512, 512, 512, 512)
POOLED = (True, True, False, True, False, True, False, True)


class VGG11(Network):
    """Eight convolutions 3x3 with instance norm and ReLU, maximum pools after 1, 2, 4, 6 and 8, a linear classifier.

    A pool that would leave less than 2x2 before another norm is left out, so that small images work; at 32x32 and above nothing changes.

    Args:
        channels: Channels of the input, 1 or 3.
        classes: Number of classes.
        size: Height and width of the input in pixels.

    Reference:
        Simonyan, Zisserman, ICLR 2015, in the 32x32 form of Zhao, Mopuri, Bilen, ICLR 2021.
    """

    name = "vgg11"
    summary = "8 convolutions with instance norm"

    def __init__(self, channels: int, classes: int, size: Size) -> None:
        super().__init__(channels, classes, size)
        inputs = (channels, *WIDTHS[:-1])
        self.convolutions = nn.ModuleList(Convolution(count, width, 3, padding=1) for count, width in zip(inputs, WIDTHS, strict=True))
        self.norms = nn.ModuleList(InstanceNorm(width) for width in WIDTHS)
        sizes = [self.padded()]
        for pooled in POOLED[:-1]:
            sizes.append(halved(sizes[-1]) if pooled else sizes[-1])
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))  # no norm follows the last pool
        self.pools = [before != after for before, after in pairwise(sizes)]
        self.classifier = Classifier(WIDTHS[-1] * sizes[-1][0] * sizes[-1][1], classes)

    def forward(self, images: Tensor) -> Features:
        """Compute the features of ``image channel height width``, normalised per channel."""
        map = self.pad(images)
        blocks = []
        for convolution, norm, pool in zip(self.convolutions, self.norms, self.pools, strict=True):
            blocks.append(F.relu(norm(convolution(map))))
            map = F.max_pool2d(blocks[-1], 2) if pool else blocks[-1]
        embedding = map.flatten(1)
        return Features(blocks=tuple(blocks), map=map, embedding=embedding, logits=self.classifier(embedding))
