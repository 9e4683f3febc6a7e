"""How many floating-point operations a network takes, and how wide it gets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from datastill.networks import Features, Network
from datastill.networks.layers import Convolution


def forward_cost(network: Network) -> float:
    """Floating-point operations of one image through a network, a multiplication and an addition counted as two.

    Those of convolutions and linear layers, as torch's own counter counts them; that one would import torch's compiler first.
    """
    return float(sum(2 * weight[0].numel() * output.numel() for weight, output in _outputs(network, nn.Conv2d, nn.Linear)))


def widest_map(network: Network) -> int:
    """Values of the largest map that a convolution makes of one image, which a micro-batch's memory goes with."""
    return max(output.numel() for _, output in _outputs(network, Convolution))


def feature_values(network: Network, fields: Sequence[str]) -> int:
    """How many numbers some fields of the features of one image are."""
    features = _one_image(network).only(fields)
    return sum(tensor.numel() for tensor in (*features.blocks, features.map, features.embedding, features.logits))


def _outputs(network: Network, *kinds: type[nn.Module]) -> list[tuple[Tensor, Tensor]]:
    """The weights of layers of some kinds, with what these make of one image."""
    found: list[tuple[Tensor, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: found.append((module.get_parameter("weight"), output)))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    _one_image(network)
    for hook in hooks:
        hook.remove()
    return found


def _one_image(network: Network) -> Features:
    """Send one image through a network and leave it as it is, the running statistics of a batch norm included."""
    training = network.training
    network.eval()
    with torch.no_grad():
        features: Features = network(torch.zeros(1, network.channels, *network.size, device=next(network.parameters()).device))
    network.train(training)
    return features
