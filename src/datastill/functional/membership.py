"""What tells whether an image was trained on: the confidence of networks, and its likelihood with and without the image."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from datastill.errors import UserError

LEAST_DEVIATION = 1e-6
"""The smallest standard deviation of confidences."""


def confidence(logits: Float[Tensor, "image class"], labels: Int[Tensor, " image"]) -> Float[Tensor, " image"]:
    """The probability of an image's label on the logit scale, ``log(p / (1 - p))``, computed without p, which may round to 1.

    Args:
        logits: Of at least two classes.
        labels: The class of every image.

    Reference:
        Carlini et al.: Membership Inference Attacks From First Principles, S&P 2022, arXiv:2112.03570, section IV-B.

    Example:
        >>> confidence(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
        tensor([2.])
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1)
    return own - others


def likelihood_ratios(confidences: Float[Tensor, "model image"], members: Bool[Tensor, "model image"]) -> Float[Tensor, "model image"]:
    """Log likelihood ratio that a network was trained on an image, from the other networks.

    ``log N(x; mu_in, sigma_in) - log N(x; mu_out, sigma_out)``. The means are of the image over the other networks that were trained with
    it and without it; the deviations are pooled over all images, the published form for few networks. One network more is left out: the
    next one, in turn, that is on the other side of an image than the network in question. Otherwise members would always have one network
    fewer inside and others one fewer outside, and as a mean of fewer networks is farther off, members would look like others where
    networks have learned nothing.

    Args:
        confidences: Of every network on every image (`confidence`), x.
        members: Whether the network was trained on it; at least three networks with every image and three without.

    Returns:
        Above 0 where membership is more likely.

    Raises:
        UserError: If an image has fewer networks.

    Reference:
        Carlini et al., arXiv:2112.03570, Algorithm 1 and section VI-A (the online attack with a fixed variance).
    """
    fewest = int(torch.minimum(members.sum(0), (~members).sum(0)).min()) if members.numel() else 0
    if fewest < 3:
        raise UserError(f"a likelihood ratio needs at least 3 networks with every image and 3 without it, got {fewest}")
    found = []
    for target in range(len(confidences)):
        others = torch.arange(target + 1, target + len(confidences)) % len(confidences)
        inside = members[others]
        other_side = inside != members[target]
        used = torch.ones_like(inside).scatter(0, other_side.byte().argmax(0, keepdim=True), False)
        log_densities = [_log_density(confidences[target], confidences[others], chosen & used) for chosen in (inside, ~inside)]
        found.append(log_densities[0] - log_densities[1])
    return torch.stack(found)


def _log_density(
    value: Float[Tensor, " image"], shadows: Float[Tensor, "model image"], chosen: Bool[Tensor, "model image"]
) -> Float[Tensor, " image"]:
    """Log density of a value, up to a constant, under the Gaussian of some of the shadow networks."""
    counts = chosen.sum(0)
    means = torch.where(chosen, shadows, 0).sum(0) / counts
    squares = torch.where(chosen, shadows - means, 0).square().sum()
    deviation = (squares / (counts - 1).sum()).sqrt().clamp(min=LEAST_DEVIATION)
    return -((value - means) / deviation).square() / 2 - deviation.log()
