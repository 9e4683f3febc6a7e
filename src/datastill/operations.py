"""How many floating-point operations a network takes."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from datastill.networks import Network


def forward_operations(network: Network) -> float:
    """Floating-point operations of one image through a network, a multiplication and an addition counted as two."""
    device = next(network.parameters()).device
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, network.channels, *network.size, device=device))
    return float(counter.get_total_flops())
