"""Second derivatives of a network's loss, along a direction of its weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad_and_value, jvp

from datastill.engine.convolution import DIRECT, use
from datastill.engine.engine import Engine
from datastill.engine.micro_batches import even_micro_batch, shares
from datastill.networks import Features, Network

Weights = tuple[Tensor, ...]
"""Of a network, in the order of its parameters."""


class Curvature:
    """How the mean cross-entropy of a network and its derivatives change along a direction of the weights.

    That is what a step through a gradient g comes down to: the derivative of ``<g, v>``, v fixed, is the change of the gradient along v.
    What ``torch.compile`` makes of a network can be differentiated only once, and forward mode over reverse mode needs no more than that.

    Args:
        engine: How to run; computes in the precision of the images, so in 32 bits if they are.
        network: Whose loss, at any weights; its own change nothing. A batch norm must be in evaluation, and has the statistics that the
            network has then.

    Reference:
        Pearlmutter: Fast Exact Multiplication by the Hessian, Neural Computation 6(1), 1994.
    """

    def __init__(self, engine: Engine, network: Network) -> None:
        self.network, self.names = network, [name for name, _ in network.named_parameters()]
        self.limit, self.size = engine.images_at_a_time(network, training=True), 0
        self.direct = deepcopy(network)
        use(self.direct, DIRECT)  # the kernels have no derivative in forward mode
        _prepare()
        self._changes = engine.compile(self._changed)

    def along(self, direction: Weights, weights: Weights, images: Tensor, labels: Tensor, *, of_weights: bool) -> tuple[Tensor, ...]:
        """The change of the loss, of its derivative with respect to images and, if asked, of that with respect to each of the weights.

        Args:
            direction: Shaped like the weights.
            weights: Where.
            images: Normalised ``image channel height width``, any number; a micro-batch of them is in memory with its graph at a time.
            labels: int64 ``image``.
            of_weights: Whether to compute the last.
        """
        self.direct.train(self.network.training)
        for own, now in zip(self.direct.buffers(), self.network.buffers(), strict=True):
            own.copy_(now)
        self.size = self.size or even_micro_batch(len(images), self.limit)
        parts = [self._changes(direction, weights, *part, of_weights) for part in shares(images, labels, self.size)]
        of_loss, of_images, *others = zip(*parts, strict=True)
        return (sum_of(of_loss), torch.cat(of_images)[: len(images)], *map(sum_of, others))

    @torch.no_grad()
    def _changed(
        self, direction: Weights, weights: Weights, images: Tensor, labels: Tensor, share: Tensor, of_weights: bool
    ) -> tuple[Tensor, ...]:
        def loss(weights: Weights, images: Tensor) -> Tensor:
            logits = features(self.direct, self.names, weights, images).logits
            return (F.cross_entropy(logits, labels, reduction="none") * share).sum()

        def derivatives(weights: Weights) -> tuple[tuple[Any, ...], Tensor]:
            found: tuple[tuple[Any, ...], Tensor] = grad_and_value(loss, argnums=asked)(weights, images)
            return found

        asked = (0, 1) if of_weights else (1,)
        changes, of_loss = jvp(derivatives, (weights,), (direction,))[1]
        return (of_loss, changes[-1], *(changes[0] if of_weights else ()))


def sum_of(tensors: Sequence[Tensor]) -> Tensor:
    """Their sum."""
    return torch.stack(tuple(tensors)).sum(0) if len(tensors) > 1 else tensors[0]


def features(network: Network, names: list[str], weights: Weights, images: Tensor) -> Features:
    """What a network computes at given weights, in the order of their names."""
    named = dict(zip(names, weights, strict=True))
    found: Features = functional_call(network, named, (images.contiguous(memory_format=torch.channels_last),))
    return found


@cache
def _prepare() -> None:
    """Have torch load its forward mode: the first use of it warns of a deprecated call of torch's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        jvp(torch.sin, (torch.zeros(()),), (torch.zeros(()),))
