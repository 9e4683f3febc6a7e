"""ConvNet (with batch norm or other choices too), AlexNet, VGG11 and ResNet18 of the condensation papers, each returning `Features`."""

from __future__ import annotations

from datastill.errors import unknown
from datastill.networks.alexnet import AlexNet
from datastill.networks.convnet import ConvNet, ConvNetBN
from datastill.networks.features import FIELDS, Features, concatenate
from datastill.networks.network import Network
from datastill.networks.resnet18 import ResNet18
from datastill.networks.variants import FORM, ConvNetChoices, grid, variant
from datastill.networks.vgg11 import VGG11
from datastill.size import Size

NETWORKS: dict[str, type[Network]] = {network.name: network for network in (ConvNet, AlexNet, VGG11, ResNet18, ConvNetBN)}
"""Every network by its name on the command line; `network_type` knows the ConvNets of `grid` as well."""


def network_type(name: str) -> type[Network]:
    """The network of a name.

    Args:
        name: One of `NETWORKS`, or a ConvNet by its choices, such as "convnet-64x2-relu-maxpool-batchnorm"
            (see `datastill.networks.variants.ConvNetChoices`).

    Raises:
        UserError: If the name is unknown.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    choices = ConvNetChoices.named(name)
    if choices is None:
        hint = f"A ConvNet of other choices is {FORM}, such as {grid()[-1]}." if name.startswith("convnet-") else ""
        raise unknown("network", name, NETWORKS, hint=hint)
    return variant(choices)


def build(name: str, *, channels: int, classes: int, size: Size) -> Network:
    """Make a network by name, with PyTorch's own random weights until `Network.reset`.

    Args:
        name: One of `NETWORKS`, or a ConvNet by its choices (see `network_type`).
        channels: Channels of the images, 1 or 3.
        classes: Number of classes.
        size: Height and width of the images in pixels.

    Raises:
        UserError: If the name is unknown or the images are too small.
    """
    return network_type(name)(channels, classes, size)


ZOO: tuple[str, ...] = ("convnet", "alexnet", "vgg11", "resnet18")
"""The four networks of the papers' cross-architecture tables."""

__all__ = [
    "FIELDS",
    "NETWORKS",
    "VGG11",
    "ZOO",
    "AlexNet",
    "ConvNet",
    "ConvNetBN",
    "Features",
    "Network",
    "ResNet18",
    "Size",
    "build",
    "concatenate",
    "grid",
    "network_type",
]
