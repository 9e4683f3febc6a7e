"""ConvNet, the default network of every method in the field."""

from __future__ import annotations

import math
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from datastill.networks.features import Features
from datastill.networks.layers import BatchNorm, Classifier, Convolution, InstanceNorm, average_pool
from datastill.networks.network import Network
from datastill.size import Size


class ConvNet(Network):
    """D blocks of [convolution 3x3, instance norm, ReLU, average pool 2x2] and a linear classifier.

    Args:
        channels: Channels of the input, 1 or 3.
        classes: Number of classes.
        size: Height and width of the input in pixels.
        width: Channels of every block.
        depth: Number of blocks D. By default the one whose last map is nearest to 4x4: 3 for 32x32, 4 for 64x64, and at least 2.

    Reference:
        Zhao, Mopuri, Bilen: Dataset Condensation with Gradient Matching, ICLR 2021, section 4.1.
    """

    name = "convnet"
    summary = "3 blocks of width 128 with instance norm (4 at 64x64); the default everywhere"
    norm: ClassVar[type[nn.Module]] = InstanceNorm

    def __init__(self, channels: int, classes: int, size: Size, *, width: int = 128, depth: int | None = None) -> None:
        super().__init__(channels, classes, size)
        self.depth = depth or max(2, round(math.log2(min(size) / 4)))
        self.multiple = 2**self.depth
        inputs = [channels] + [width] * (self.depth - 1)
        self.convolutions = nn.ModuleList(Convolution(count, width, 3, padding=1) for count in inputs)
        self.norms = nn.ModuleList(self.norm(width) for _ in inputs)
        height, breadth = (side // self.multiple for side in self.padded())
        self.classifier = Classifier(width * height * breadth, classes)

    def forward(self, images: Tensor) -> Features:
        """Compute the features of ``image channel height width``, normalised per channel."""
        map = self.pad(images)
        blocks = []
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            convolved = convolution(map)
            blocks.append(F.relu(norm(convolved)))
            map = self._pooled(norm, convolved, blocks[-1])
        embedding = map.flatten(1)
        return Features(blocks=tuple(blocks), map=map, embedding=embedding, logits=self.classifier(embedding))

    def _pooled(self, norm: nn.Module, convolved: Tensor, block: Tensor) -> Tensor:
        """Pool a block; where the norm can do it at once, the compiler leaves out the block that nobody reads."""
        if isinstance(norm, InstanceNorm) and norm.pooled is not None:
            pooled = norm.pooled(convolved, norm.weight, norm.bias, norm.epsilon)
            if pooled is not None:
                return pooled
        return average_pool(block)


class ConvNetBN(ConvNet):
    """ConvNet with batch norm in place of instance norm.

    An image's features depend on the other images in the batch: an encoder with it sees the images of all classes together.

    Reference:
        The network of DataDAM's published numbers (Sajedi et al., ICCV 2023, arXiv:2310.00093).
    """

    name = "convnet-bn"
    summary = "convnet with batch norm, which the published numbers of DataDAM need"
    norm = BatchNorm
    batchwise = True
