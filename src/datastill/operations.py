"""How many floating-point operations a network takes, and how wide it gets."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from datastill.networks import Network
from datastill.networks.layers import Convolution


def forward_operations(network: Network) -> float:
    """Floating-point operations of one image through a network, a multiplication and an addition counted as two."""
    device = next(network.parameters()).device
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, network.channels, *network.size, device=device))
    return float(counter.get_total_flops())


def widest_map(network: Network) -> int:
    """Values of the largest map that a convolution makes of one image, which a micro-batch's memory goes with."""
    sizes: list[int] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: sizes.append(output.numel()))
        for module in network.modules()
        if isinstance(module, Convolution)
    ]
    parameter = next(network.parameters())
    with torch.no_grad():
        network(torch.zeros(1, network.channels, *network.size, device=parameter.device))
    for hook in hooks:
        hook.remove()
    return max(sizes)
