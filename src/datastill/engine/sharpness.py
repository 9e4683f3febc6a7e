"""Sharpness-aware gradients: those of the weights moved uphill, with GSAM's step across them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

SMALLEST = 1e-12
"""What the length of a gradient is taken to be at least: one of zero moves nothing."""


@contextmanager
def uphill(weights: Sequence[Tensor], radius: float, gap: float) -> Iterator[None]:
    """Move weights uphill while another gradient is found; afterwards they are where they were, with the gradient of GSAM.

    ``w' = w + rho g / |g|``, ``g' = grad L(w')``, ``g_across = g - <g, g'> / |g'|^2 g'``, and the gradient is ``g' - alpha g_across``;
    lengths and products are of all weights together.

    Args:
        weights: Every weight w, with its gradient g in ``grad``; g' is expected there at the end of the block.
        radius: rho, above 0.
        gap: alpha, at least 0; 0 for plain sharpness-aware steps.

    Reference:
        Foret et al.: Sharpness-Aware Minimization for Efficiently Improving Generalization, ICLR 2021, arXiv:2010.01412, Eq. 2 and 3;
        Zhuang et al.: Surrogate Gap Minimization Improves Sharpness-Aware Training, ICLR 2022, arXiv:2203.08065, Algorithm 1.

    Example:
        >>> weight = torch.tensor([3.0, 4.0])
        >>> weight.grad = weight.clone()
        >>> with uphill([weight], radius=0.5, gap=0.0):
        ...     weight.grad = weight.clone()
        >>> weight.tolist(), [round(value, 4) for value in weight.grad.tolist()]
        ([3.0, 4.0], [3.3, 4.4])
    """
    before = [weight.detach().clone() for weight in weights]
    plain = _gradients(weights)
    scale = radius / _product(plain, plain).sqrt().clamp_min(SMALLEST)
    with torch.no_grad():
        for weight, slope in zip(weights, plain, strict=True):
            weight.add_(scale * slope)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, before, strict=True):
                weight.copy_(value)
    if gap:
        moved = _gradients(weights)
        share = _product(plain, moved) / _product(moved, moved).clamp_min(SMALLEST**2)
        for weight, slope, uphill_slope in zip(weights, plain, moved, strict=True):
            weight.grad = uphill_slope - gap * (slope - share * uphill_slope)


def _gradients(weights: Sequence[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(weight) if weight.grad is None else weight.grad.detach() for weight in weights]


def _product(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    return torch.stack([(left * right).sum() for left, right in zip(one, other, strict=True)]).sum()
