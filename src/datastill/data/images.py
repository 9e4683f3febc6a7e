"""Labelled images in memory: uint8, class after class, drawn by class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from datastill import random
from datastill.data.sources import Sources
from datastill.errors import WrongTypeError
from datastill.size import Size

SPLIT_SEED = 0
"""The hold-outs belong to the data set, not to a run: every run and every pretrained network leaves out the same images."""


@dataclass(frozen=True, eq=False)
class ClassImages:
    """Images of one split, class-contiguous.

    Attributes:
        storage: uint8 ``row channel height width``, shared by the splits (so it holds images of others too); may be memory-mapped.
        rows: The rows of `storage` in this split, class after class.
        counts: Images of every class.
        sources: What the images of `storage` are called where they come from; None where that is not known.
    """

    storage: Tensor
    rows: Tensor
    counts: tuple[int, ...]
    sources: Sources | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        """Refused, and with it iteration: whether items are normalised, and how they are transformed, is said where they are asked for.

        Raises:
            WrongTypeError: Always; it says what has items.
        """
        raise WrongTypeError(
            "a split has no items of its own: for a DataLoader take `data.as_dataset('train')` (or 'validation', 'test'); `images` and "
            "`labels` of a split are tensors of all of it"
        )

    def __repr__(self) -> str:
        return f"<{len(self)} images of {self.classes} classes, {self.channels}x{self.size[0]}x{self.size[1]}>"

    @property
    def classes(self) -> int:
        """Number of classes, those without an image included."""
        return len(self.counts)

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.storage.shape[1]

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return self.storage.shape[2], self.storage.shape[3]

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where every class begins in `rows`, and where the last one ends."""
        return (0, *torch.tensor(self.counts).cumsum(0).tolist())

    @property
    def images(self) -> Tensor:
        """A copy of the images of this split, uint8 ``image channel height width``; for a few of a large split use `gather`."""
        return self.gather(torch.arange(len(self)))

    @cached_property
    def labels(self) -> Tensor:
        """The class of every image, int64."""
        return torch.arange(self.classes).repeat_interleave(torch.tensor(self.counts))

    def gather(self, indices: Tensor) -> Tensor:
        """Copy images by their position in this split: uint8 ``image channel height width``."""
        return self.storage[self.rows[indices]]

    def draw(self, label: int, count: int, generator: torch.Generator) -> Tensor:
        """Draw positions of one class without replacement; a class with fewer images is repeated as often as needed.

        Args:
            label: The class.
            count: How many, at least 1.
            generator: The source of randomness.

        Returns:
            Positions in this split, int64, for `gather`.
        """
        available = self.counts[label]
        rounds = [torch.randperm(available, generator=generator) for _ in range(-(-count // available))]
        return torch.cat(rounds)[:count] + self.offsets[label]

    def split(self, fraction: float, purpose: str) -> tuple[ClassImages, ClassImages]:
        """Hold out a fraction of every class, at least one image of each and never the last.

        Args:
            fraction: Share of every class to hold out, in [0, 1). 0 holds out nothing.
            purpose: Names the draw, so that two hold-outs of the same images differ.

        Returns:
            What stays and what is held out, on the same storage.
        """
        kept, held = [], []
        for label, count in enumerate(self.counts):
            order = self.draw(label, count, random.generator(SPLIT_SEED, purpose, label)) if count else torch.empty(0, dtype=torch.long)
            number = min(max(1, round(fraction * count)), count - 1) if fraction and count else 0
            held.append(order[:number].sort().values)
            kept.append(order[number:].sort().values)
        return self._subset(kept), self._subset(held)

    def only(self, labels: Sequence[int]) -> ClassImages:
        """The images of some classes, in the order given, on the same storage; their labels count from 0."""
        return self._subset([torch.arange(self.offsets[label], self.offsets[label + 1]) for label in labels])

    def _subset(self, positions: Sequence[Tensor]) -> ClassImages:
        return ClassImages(self.storage, self.rows[torch.cat(list(positions))], tuple(map(len, positions)), self.sources)


def fingerprint(images: ClassImages, class_names: Sequence[str]) -> str:
    """Hash images, classes and class names to 16 hexadecimal digits."""
    digest = hashlib.blake2b(repr((images.storage.shape, images.counts, tuple(class_names))).encode(), digest_size=8)
    for block in torch.split(images.rows, 256):
        digest.update(images.storage[block].numpy().tobytes())
    return digest.hexdigest()


def channel_statistics(images: ClassImages) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of pixels in [0, 1], exact, from the counts of the 256 values."""
    histogram = torch.zeros(images.channels, 256, dtype=torch.float64)
    for block in torch.split(images.rows, 256):
        for channel, values in enumerate(images.storage[block].transpose(0, 1)):
            histogram[channel] += torch.bincount(values.flatten(), minlength=256)
    share = histogram / histogram.sum(1, keepdim=True)
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean = share @ levels
    std = (share @ levels.square() - mean.square()).clamp(min=0).sqrt().clamp(min=1 / 255)
    return tuple(mean.tolist()), tuple(std.tolist())
