"""How many floating-point operations a network takes, and how wide it gets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from datastill.networks import Features, Network
from datastill.networks.layers import Convolution


def forward_cost(network: Network) -> float:
    """Floating-point operations of one image through a network, a multiplication and an addition counted as two."""
    with FlopCounterMode(display=False) as counter:
        _one_image(network)
    return float(counter.get_total_flops())


def widest_map(network: Network) -> int:
    """Values of the largest map that a convolution makes of one image, which a micro-batch's memory goes with."""
    sizes: list[int] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: sizes.append(output.numel()))
        for module in network.modules()
        if isinstance(module, Convolution)
    ]
    _one_image(network)
    for hook in hooks:
        hook.remove()
    return max(sizes)


def feature_values(network: Network, fields: Sequence[str]) -> int:
    """How many numbers some fields of the features of one image are."""
    features = _one_image(network).only(fields)
    return sum(tensor.numel() for tensor in (*features.blocks, features.map, features.embedding, features.logits))


def _one_image(network: Network) -> Features:
    """Send one image through a network and leave it as it is, the running statistics of a batch norm included."""
    training = network.training
    network.eval()
    with torch.no_grad():
        features: Features = network(torch.zeros(1, network.channels, *network.size, device=next(network.parameters()).device))
    network.train(training)
    return features
