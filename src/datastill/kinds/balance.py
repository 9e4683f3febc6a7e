"""How hard constraints may pull relative to what a method matches."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

MATCHING = "matching"
"""The encoder of the method's own terms. Constraints are the terms that were added to it, and those of other encoders."""
ALARM = 0.1
"""Root mean square of an image's step, in standard deviations of real pixels, above which added terms of the matching encoder are looked at
apart: it takes a second pass, and smaller steps throw no image away."""


def length(gradient: Tensor) -> Tensor:
    """Root mean square of every image's gradient, ``class image 1 1 1``, for any finite gradient."""
    largest = gradient.abs().amax((2, 3, 4), keepdim=True).clamp(min=torch.finfo(gradient.dtype).tiny)
    return largest * (gradient / largest).square().mean((2, 3, 4), keepdim=True).sqrt()


def shortened(gradient: Tensor, own: Tensor, most: float) -> Tensor:
    """A constraint's gradient, of no image longer than `most` times the root mean square of the method's own gradients of its class.

    Args:
        gradient: Of the constraint, ``class image channel height width``, at the images that encoders see.
        own: Of the method, of the same shape.
        most: The bound, above 0.

    Returns:
        The same gradient, to the bit, where it is within the bound.
    """
    limit = most * length(own.flatten(1, 2).unsqueeze(1))
    ours = length(gradient)
    return torch.where(ours > limit, gradient * (limit / ours.clamp(min=torch.finfo(ours.dtype).tiny)), gradient)


def balanced(gradients: Mapping[str, Tensor], most: Mapping[str, float], own: Tensor | None = None) -> dict[str, Tensor]:
    """The gradients of encoders, those of constraints bounded by what the method itself asks for.

    Args:
        gradients: By encoder, each ``class image channel height width``, at the images that encoders see.
        most: By encoder, how much longer than the method's a constraint's gradient may be, in one iteration; 0 for no bound.
        own: The gradient of the method's own terms alone; None to use all of the matching encoder's.

    Returns:
        By encoder, of the same shape; what is within the bound is the same to the bit.
    """
    found = dict(gradients)
    limit = gradients.get(MATCHING) if own is None else own
    if limit is None:
        return found
    for name, gradient in gradients.items():
        if name != MATCHING and most[name]:
            found[name] = shortened(gradient, limit, most[name])
    if own is not None and most[MATCHING]:
        added = gradients[MATCHING] - own
        bounded = shortened(added, own, most[MATCHING])
        if not torch.equal(bounded, added):
            found[MATCHING] = own + bounded
    return found
