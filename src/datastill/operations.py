"""How many floating-point operations a network takes, and how wide it gets."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from datastill.networks import Network
from datastill.networks.layers import Convolution


def forward_operations(network: Network) -> float:
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


def _one_image(network: Network) -> None:
    """Send one image through a network and leave it as it is, the running statistics of a batch norm included."""
    training = network.training
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, network.channels, *network.size, device=next(network.parameters()).device))
    network.train(training)
