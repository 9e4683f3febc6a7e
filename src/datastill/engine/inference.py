"""A network as a function from images to features, and its predictions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datastill.data import ClassImages, DataSet
from datastill.engine.engine import Engine
from datastill.engine.measuring import seconds_of
from datastill.engine.micro_batches import even_micro_batch, pieces
from datastill.networks import Features, Network, concatenate

BLOCK = 1024
"""Images that are floats at a time."""


class Runner:
    """A network as a function from images to features, in micro-batches of one size so that nothing is compiled twice.

    Make one for each use (real images, synthetic images): the first call fixes the size of the micro-batches. The network may be reset
    or loaded again between calls.
    """

    def __init__(self, engine: Engine, network: Network, fields: Sequence[str]) -> None:
        self.engine, self.network, self.fields = engine, network, tuple(fields)
        self.limit, self.size = engine.images_at_a_time(network), 0
        self._compute = engine.compile(self._tensors)

    def __call__(self, images: Tensor) -> Features:
        """Compute the features of normalised ``image channel height width``, in 32 bits."""
        count = len(images)
        if self.network.batchwise and self.network.training:
            self.size = count  # the images are normalised by one another
        self.size = self.size or even_micro_batch(count, self.limit)
        parts = [self._features(self._compute(part)) for part in pieces(images, self.size)]
        features = concatenate(parts)
        return features if count % self.size == 0 else features.apply(lambda value: value[:count])

    def _tensors(self, images: Tensor) -> tuple[Tensor, ...]:
        images = images.to(self.engine.precision, memory_format=torch.channels_last)
        return chosen(self.network(images), self.fields)

    def _features(self, tensors: Sequence[Tensor]) -> Features:
        return features_of(tensors, self.fields, empty=tensors[0].new_empty(0))


def chosen(features: Features, fields: Sequence[str]) -> tuple[Tensor, ...]:
    """The named features in 32 bits, as the tensors that a compiled function may return; those of blocks come last."""
    single = [getattr(features, name).float() for name in fields if name != "blocks"]
    return (*single, *(block.float() for block in features.blocks if "blocks" in fields))


def features_of(tensors: Sequence[Tensor], fields: Sequence[str], *, empty: Tensor) -> Features:
    """The features that `chosen` made these tensors of; the others are `empty`."""
    names = [name for name in fields if name != "blocks"]
    found = dict(zip(names, tensors, strict=False))
    map, embedding, logits = (found.get(name, empty) for name in ("map", "embedding", "logits"))
    return Features(tuple(tensors[len(names) :]), map, embedding, logits)


def predictions(runner: Runner, images: ClassImages, data: DataSet) -> Tensor:
    """Classify every image of a split, without augmentation and with the network in evaluation mode.

    Args:
        runner: Computes the logits of the network.
        images: The split.
        data: Says how its images are normalised.

    Returns:
        ``image``, int64, on the CPU, in the order of `ClassImages.labels`.
    """
    runner.network.eval()
    with torch.no_grad():
        blocks = [
            runner(data.normalise(images.gather(block).to(runner.engine.device))).logits.argmax(1).cpu()
            for block in torch.split(torch.arange(len(images)), BLOCK)
        ]
    runner.network.train()
    return torch.cat(blocks)


def seconds_of_all(runner: Runner, images: ClassImages, data: DataSet) -> float:
    """Measure on one block how long it takes to send all images of a split through a network, in evaluation mode.

    Args:
        runner: Computes the features.
        images: The split.
        data: Says how its images are normalised.
    """
    rows = torch.arange(min(BLOCK, len(images)))
    runner.network.eval()
    with torch.no_grad():
        seconds = seconds_of(lambda: runner(data.normalise(images.gather(rows).to(runner.engine.device))))
    runner.network.train()
    return seconds * len(images) / len(rows)


def share_correct(runner: Runner, images: Tensor, labels: Tensor) -> float:
    """Share in [0, 1] of normalised ``image channel height width`` that a network classifies as labelled, in evaluation mode."""
    runner.network.eval()
    with torch.no_grad():
        predicted = runner(images).logits.argmax(1).cpu()
    runner.network.train()
    return float((predicted == labels.cpu()).double().mean())
