"""ResNet18 with instance norm, in its form for small images."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from datastill.networks.features import Features
from datastill.networks.layers import Classifier, Convolution, InstanceNorm
from datastill.networks.network import Network, halved
from datastill.size import Size

WIDTHS = (64, 128, 256, 512)


class ResidualBlock(nn.Module):
    """Two convolutions 3x3 with instance norm and a shortcut, which is a convolution 1x1 where the shape changes."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.convolution1 = Convolution(inputs, width, 3, stride=stride, padding=1, bias=False)
        self.norm1 = InstanceNorm(width)
        self.convolution2 = Convolution(width, width, 3, padding=1, bias=False)
        self.norm2 = InstanceNorm(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != width:
            self.shortcut = nn.Sequential(Convolution(inputs, width, 1, stride=stride, bias=False), InstanceNorm(width))

    def forward(self, map: Tensor) -> Tensor:
        """Add what the convolutions make of a map to its shortcut."""
        inner = F.relu(self.norm1(self.convolution1(map)))
        return F.relu(self.norm2(self.convolution2(inner)) + self.shortcut(map))


class ResNet18(Network):
    """A 3x3 stem with stride 1 and no pool, four stages of two residual blocks, global average pool, a linear classifier.

    A stride that would leave less than 2x2 is left out, so that small images work; at 16x16 and above nothing changes.

    Args:
        channels: Channels of the input, 1 or 3.
        classes: Number of classes.
        size: Height and width of the input in pixels.

    Reference:
        He, Zhang, Ren, Sun, CVPR 2016, in the 32x32 form of Zhao, Mopuri, Bilen, ICLR 2021.
    """

    name = "resnet18"
    summary = "4 stages of 2 residual blocks with instance norm; the encoder of class centralization"
    resizable = True

    def __init__(self, channels: int, classes: int, size: Size) -> None:
        super().__init__(channels, classes, size)
        self.stem = Convolution(channels, WIDTHS[0], 3, padding=1, bias=False)
        self.norm = InstanceNorm(WIDTHS[0])
        stages, inputs, current = [], WIDTHS[0], self.padded()
        for index, width in enumerate(WIDTHS):
            after = halved(current) if index else current
            stride = 2 if after != current else 1
            stages.append(nn.Sequential(ResidualBlock(inputs, width, stride), ResidualBlock(width, width, 1)))
            inputs, current = width, after
        self.stages = nn.ModuleList(stages)
        self.classifier = Classifier(WIDTHS[-1], classes)

    def forward(self, images: Tensor) -> Features:
        """Compute the features of ``image channel height width``, normalised per channel."""
        map = F.relu(self.norm(self.stem(self.pad(images))))
        blocks = []
        for stage in self.stages:
            map = stage(map)
            blocks.append(map)
        embedding = map.float().mean((2, 3))
        return Features(blocks=tuple(blocks), map=map, embedding=embedding, logits=self.classifier(embedding))
