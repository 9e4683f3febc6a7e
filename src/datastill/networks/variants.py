"""ConvNets of other widths, depths, activations, pools and norms: the grid of architecture search."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from itertools import product
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datastill.networks.features import Features
from datastill.networks.layers import BatchNorm, Classifier, Convolution, GroupNorm, InstanceNorm, LayerNorm, average_pool
from datastill.networks.network import Network
from datastill.size import Size

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "relu": F.relu, "leakyrelu": F.leaky_relu}
POOLS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "nopool": None,
    "maxpool": lambda features: F.max_pool2d(features, 2),
    "avgpool": average_pool,
}
NORMS: dict[str, Callable[[int, Size], nn.Module] | None] = {
    "nonorm": None,
    "batchnorm": lambda channels, size: BatchNorm(channels),
    "layernorm": LayerNorm,
    "instancenorm": lambda channels, size: InstanceNorm(channels),
    "groupnorm": lambda channels, size: GroupNorm(channels),
}
MOST_DEPTH, MOST_WIDTH = 8, 4096
FORM = "convnet-WIDTHxDEPTH-ACTIVATION-POOL-NORM"


@dataclass(frozen=True)
class ConvNetChoices:
    """What a ConvNet is built of.

    Attributes:
        width: Channels of every block, a multiple of 4 from 4 to 4096.
        depth: Number of blocks, from 1 to 8.
        activation: A name of `ACTIVATIONS`.
        pool: A name of `POOLS`; each divides both sides by two.
        norm: A name of `NORMS`; group norm has four groups.
    """

    width: int
    depth: int
    activation: str
    pool: str
    norm: str

    @property
    def name(self) -> str:
        """Of the network.

        Example:
            >>> ConvNetChoices(64, 2, "relu", "maxpool", "batchnorm").name
            'convnet-64x2-relu-maxpool-batchnorm'
        """
        return f"convnet-{self.width}x{self.depth}-{self.activation}-{self.pool}-{self.norm}"

    @classmethod
    def named(cls, name: str) -> ConvNetChoices | None:
        """The choices that a name stands for; None if it is not of the form `FORM`."""
        words = "".join(f"-({'|'.join(names)})" for names in (ACTIVATIONS, POOLS, NORMS))
        found = re.fullmatch(rf"convnet-([1-9]\d{{0,3}})x([1-9]){words}", name)
        if found is None:
            return None
        width, depth, *others = found.groups()
        fits = int(width) % 4 == 0 and int(width) <= MOST_WIDTH and int(depth) <= MOST_DEPTH
        return cls(int(width), int(depth), *others) if fits else None

    def __str__(self) -> str:
        return ", ".join(f"{entry.name} {getattr(self, entry.name)}" for entry in fields(self))


class ConvNetVariant(Network):
    """D blocks of [convolution 3x3, a norm or none, an activation, a pool or none] and a linear classifier.

    Args:
        channels: Channels of the input, 1 or 3.
        classes: Number of classes.
        size: Height and width of the input in pixels.

    Reference:
        Zhao, Mopuri, Bilen: Dataset Condensation with Gradient Matching, ICLR 2021, section 4.2 and appendix B.
    """

    choices: ClassVar[ConvNetChoices]

    def __init__(self, channels: int, classes: int, size: Size) -> None:
        super().__init__(channels, classes, size)
        chosen = self.choices
        pooled = POOLS[chosen.pool] is not None
        self.multiple = 2**chosen.depth if pooled else 1
        sizes = [tuple(side >> (block if pooled else 0) for side in self.padded()) for block in range(chosen.depth + 1)]
        inputs = [channels] + [chosen.width] * (chosen.depth - 1)
        self.convolutions = nn.ModuleList(Convolution(count, chosen.width, 3, padding=1) for count in inputs)
        make = NORMS[chosen.norm]
        self.norms = nn.ModuleList(make(chosen.width, (height, width)) if make else nn.Identity() for height, width in sizes[:-1])
        self.classifier = Classifier(chosen.width * sizes[-1][0] * sizes[-1][1], classes)

    def forward(self, images: Tensor) -> Features:
        """Compute the features of ``image channel height width``, normalised per channel."""
        map, activation, pool = self.pad(images), ACTIVATIONS[self.choices.activation], POOLS[self.choices.pool]
        blocks = []
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            blocks.append(activation(norm(convolution(map))))
            map = pool(blocks[-1]) if pool else blocks[-1]
        embedding = map.flatten(1)
        return Features(blocks=tuple(blocks), map=map, embedding=embedding, logits=self.classifier(embedding))


@cache
def variant(choices: ConvNetChoices) -> type[ConvNetVariant]:
    """The network with these choices."""
    own = {"choices": choices, "name": choices.name, "summary": str(choices), "batchwise": choices.norm == "batchnorm"}
    return type("ConvNetVariant", (ConvNetVariant,), {**own, "__doc__": ConvNetVariant.__doc__})


def grid() -> tuple[str, ...]:
    """The names of the 720 ConvNets of the literature's search space, in a fixed order.

    Example:
        >>> len(grid()), grid()[0]
        (720, 'convnet-32x1-sigmoid-nopool-nonorm')
    """
    every = product((32, 64, 128, 256), (1, 2, 3, 4), ACTIVATIONS, POOLS, NORMS)
    return tuple(ConvNetChoices(*choices).name for choices in every)
