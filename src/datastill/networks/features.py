"""What every network returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

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

    In a stacked batch (`stack`) every tensor has a leading class axis: ``class image ...``.
    """

    blocks: tuple[Tensor, ...]
    map: Tensor
    embedding: Tensor
    logits: Tensor

    def apply(self, function: Callable[[Tensor], Tensor]) -> Features:
        """Apply a function to every tensor that is present."""
        keep = {name: function(value) if value.numel() else value for name, value in self._tensors().items()}
        return Features(blocks=tuple(function(block) for block in self.blocks), **keep)

    def stack(self, classes: int) -> Features:
        """Split the image axis of a class-contiguous batch into ``class image``."""
        return self.apply(lambda value: torch.unflatten(value, 0, (classes, -1)))

    def only(self, names: Sequence[str]) -> Features:
        """Keep the named fields and empty the others."""
        empty = self.logits.new_empty(0)
        keep = {name: value if name in names else empty for name, value in self._tensors().items()}
        return Features(blocks=self.blocks if "blocks" in names else (), **keep)

    def float(self) -> Features:
        """Convert every tensor to 32 bits."""
        return self.apply(lambda value: value.float())

    def _tensors(self) -> dict[str, Tensor]:
        return {"map": self.map, "embedding": self.embedding, "logits": self.logits}


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


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Features))
"""The names a term may read."""
