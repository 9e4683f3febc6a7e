"""ConvNet, AlexNet, VGG11 and ResNet18 of the condensation papers, each returning `Features`."""

from __future__ import annotations

from datastill.errors import unknown
from datastill.networks.alexnet import AlexNet
from datastill.networks.convnet import ConvNet
from datastill.networks.features import FIELDS, Features, concatenate
from datastill.networks.network import Network, Size
from datastill.networks.resnet18 import ResNet18
from datastill.networks.vgg11 import VGG11

NETWORKS: dict[str, type[Network]] = {network.name: network for network in (ConvNet, AlexNet, VGG11, ResNet18)}
"""Every network by its name on the command line."""


def build(name: str, *, channels: int, classes: int, size: Size) -> Network:
    """Make a network by name, with PyTorch's own random weights until `Network.reset`.

    Args:
        name: One of `NETWORKS`.
        channels: Channels of the images, 1 or 3.
        classes: Number of classes.
        size: Height and width of the images in pixels.

    Raises:
        UserError: If the name is unknown or the images are too small.
    """
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    return NETWORKS[name](channels, classes, size)


__all__ = ["FIELDS", "NETWORKS", "VGG11", "AlexNet", "ConvNet", "Features", "Network", "ResNet18", "Size", "build", "concatenate"]
