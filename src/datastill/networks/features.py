"""What every network returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Features:
    """The feature maps, embedding and logits of a batch of images.

    Fields that were not asked for are empty tensors (and an empty tuple), so that no memory or time goes into them.

    Attributes:
        blocks: The map after the activation of every block, before pooling, each ``image channel height width``.
        map: The last map, after pooling, ``image channel height width``.
        embedding: What the classifier reads, ``image feature``.
        logits: ``image class``.

        labels: Which class every row of a stacked batch is of, int64 ``class``; empty before stacking.
        accuracy: Share in [0, 1] of training images that the network classifies right, where the encoder knows it; 0 where it does not.
        pixels: Values of an image that the features are of, channels times height times width; 0 where it was not said.

    In a stacked batch (`stack`) every tensor has a leading class axis: ``class image ...``.
    """

    blocks: tuple[Tensor, ...]
    map: Tensor
    embedding: Tensor
    logits: Tensor
    labels: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    accuracy: float = 0.0
    pixels: int = 0

    def apply(self, function: Callable[[Tensor], Tensor]) -> Features:
        """Apply a function to every feature that is present."""
        map, embedding, logits = (function(value) if value.numel() else value for value in (self.map, self.embedding, self.logits))
        blocks = tuple(function(block) for block in self.blocks)
        return replace(self, blocks=blocks, map=map, embedding=embedding, logits=logits)

    @property
    def stacked(self) -> tuple[int, int]:
        """Classes, and images of a class, of a stacked batch; 0 of both where no field is present."""
        present = (value for value in (self.embedding, self.map, self.logits, *self.blocks) if value.numel())
        return next(((value.shape[0], value.shape[1]) for value in present), (0, 0))

    def stack(self, labels: Tensor, *, accuracy: float = 0.0, pixels: int = 0) -> Features:
        """Split the image axis of a class-contiguous batch into ``class image``.

        Args:
            labels: Which class every row is of, int64 ``class``.
            accuracy: Of the network, in [0, 1].
            pixels: Values of an image.
        """
        stacked = self.apply(lambda value: torch.unflatten(value, 0, (len(labels), -1)))
        return replace(stacked, labels=labels, accuracy=accuracy, pixels=pixels)

    def only(self, names: Sequence[str]) -> Features:
        """Keep the named fields and empty the others."""
        empty = self.logits.new_empty(0)
        return replace(
            self,
            blocks=self.blocks if "blocks" in names else (),
            map=self.map if "map" in names else empty,
            embedding=self.embedding if "embedding" in names else empty,
            logits=self.logits if "logits" in names else empty,
        )

    def float(self) -> Features:
        """Convert every tensor to 32 bits."""
        return self.apply(lambda value: value.float())


def concatenate(parts: Sequence[Features]) -> Features:
    """Join features of micro-batches along the image axis."""
    if len(parts) == 1:
        return parts[0]

    def join(tensors: list[Tensor]) -> Tensor:
        return torch.cat(tensors) if tensors[0].numel() else tensors[0]

    return Features(
        blocks=tuple(torch.cat(maps) for maps in zip(*(part.blocks for part in parts), strict=True)),
        map=join([part.map for part in parts]),
        embedding=join([part.embedding for part in parts]),
        logits=join([part.logits for part in parts]),
    )


FIELDS: tuple[str, ...] = ("blocks", "map", "embedding", "logits")
"""The names a term may read."""
