"""Gradients of a network's weights on labelled images, and what they change by when the images do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.engine.curvature import Curvature
from datastill.engine.engine import Engine
from datastill.engine.inference import chosen, features_of
from datastill.engine.micro_batches import even_micro_batch, shares
from datastill.networks import Features, Network, concatenate

Gradients = tuple[Tensor, ...]
"""Of every convolution and linear layer, ``row weight``, a row for each output. Biases and norms are left out."""


class WeightGradients:
    """The gradients of the mean cross-entropy with respect to the weights of a network that keeps changing.

    The gradient on images alone (`of`) computes in the precision of the engine. The step on the images (`pull`) goes through the gradient
    itself (see `Curvature`), in 32 bits.

    Args:
        engine: How to run.
        network: Whose weights; may be trained or reset between calls. A batch with batch norm in training is never cut.
        fields: The features that `of` returns too, of the same pass.
    """

    def __init__(self, engine: Engine, network: Network, fields: Sequence[str] = ()) -> None:
        self.engine, self.network, self.fields = engine, network, tuple(fields)
        self.layers = [parameter for parameter in network.parameters() if parameter.ndim > 1]
        self.limit = engine.images_at_a_time(network, training=True)
        self.curvature = Curvature(engine, network)
        self._losses = engine.compile(partial(self._computed, engine.precision, self.fields))
        self._exact = engine.compile(partial(self._computed, None, ()))

    def of(self, images: Tensor, labels: Tensor) -> tuple[Gradients, Features]:
        """The gradient of the mean loss, and the features of the images in 32 bits, which one pass gives; both without a graph.

        Args:
            images: Normalised ``image channel height width``, any number.
            labels: int64 ``image``.
        """
        return self._summed(self._losses, self.fields, images, labels)

    def exact(self, images: Tensor, labels: Tensor) -> Gradients:
        """The gradient in the precision of the images, as `pull` computes it."""
        return self._summed(self._exact, (), images, labels)[0]

    def pull(self, images: Tensor, labels: Tensor, directions: Gradients) -> Tensor:
        """The derivative, with respect to images, of the product of their gradient with fixed directions.

        Args:
            images: Normalised ``image channel height width``, any number.
            labels: int64 ``image``.
            directions: Shaped like the gradient.
        """
        left, weights = iter(directions), tuple(parameter.detach() for parameter in self.network.parameters())
        direction = tuple(next(left).view_as(each) if each.ndim > 1 else torch.zeros_like(each) for each in weights)
        return self.curvature.along(direction, weights, images.detach(), labels, of_weights=False)[1]

    def _summed(
        self, computed: Callable[..., tuple[Tensor, ...]], fields: Sequence[str], images: Tensor, labels: Tensor
    ) -> tuple[Gradients, Features]:
        """The gradients of micro-batches, added up, and the features of all of them."""
        total: Gradients = ()
        parts = []
        for part, label, share in shares(images, labels, even_micro_batch(len(images), self.limit)):
            loss, *features = computed(part, label, share)
            total = added(total, torch.autograd.grad(loss, self.layers))
            parts.append(features_of(features, fields, empty=loss.detach().new_empty(0)))
        return rows(total), concatenate(parts).apply(lambda value: value[: len(images)])

    def _computed(
        self, precision: torch.dtype | None, fields: Sequence[str], images: Tensor, labels: Tensor, share: Tensor
    ) -> tuple[Tensor, ...]:
        images = images.to(precision or images.dtype, memory_format=torch.channels_last)
        features = self.network(images)
        loss = (F.cross_entropy(features.logits, labels, reduction="none") * share).sum()
        return (loss, *(value.detach() for value in chosen(features, fields)))


def added(one: Gradients, other: Gradients) -> Gradients:
    """The sum of two gradients; the second where the first is empty."""
    return tuple(first + second for first, second in zip(one, other, strict=True)) if one else other


def rows(gradients: Sequence[Tensor]) -> Gradients:
    """The gradients of layers, each as ``row weight``."""
    return tuple(gradient.flatten(1) for gradient in gradients)
