"""How hard terms may pull beside what a method matches."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

MATCHING = "matching"
"""The encoder whose terms are the method's own; those of other encoders are constraints beside it."""


def balanced(gradients: Mapping[str, Tensor], most: float) -> Tensor:
    """Add up the gradients of encoders, those of constraints bounded by what the method's own encoder asks for.

    The gradient of an image from another encoder is shortened to ``most`` times the root mean square length of its class's gradients from
    the matching encoder. So whatever its weight and the scale of its network, a constraint moves no image further than the loss that it
    constrains moves images, times `most`.

    Args:
        gradients: By encoder, each ``class image channel height width``, at the images that encoders see.
        most: The bound, above 0; 0 for none.

    Returns:
        Their sum, of the same shape.
    """
    own = gradients.get(MATCHING)
    if own is None or not most or len(gradients) == 1:
        return sum_of(gradients)
    limit = most * own.square().mean((1, 2, 3, 4), keepdim=True).sqrt()
    total = own
    for name, gradient in gradients.items():
        if name != MATCHING:
            length = gradient.square().mean((2, 3, 4), keepdim=True).sqrt()
            total = total + gradient * (limit / length.clamp(min=torch.finfo(length.dtype).tiny)).clamp(max=1)
    return total


def sum_of(gradients: Mapping[str, Tensor]) -> Tensor:
    """The plain sum of gradients."""
    first, *others = gradients.values()
    for gradient in others:
        first = first + gradient
    return first
