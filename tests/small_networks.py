"""Small networks and noise to show them."""

from __future__ import annotations

import torch
from torch import Tensor

from datastill.networks import Network, build


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Normal noise of any shape."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def picture(count: int, seed: int = 0) -> Tensor:
    """Colour images of 8x8 pixels."""
    return noise(count, 3, 8, 8, seed=seed)


def made(name: str = "convnet", seed: int = 0) -> Network:
    """A network for such images and five classes."""
    network = build(name, channels=3, classes=5, size=(8, 8))
    network.reset(torch.Generator().manual_seed(seed))
    return network


def close(found: Tensor, expected: Tensor) -> None:
    """Whether tensors agree to rounding, relative to the largest value."""
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * max(1e-3, float(expected.detach().abs().max())))
