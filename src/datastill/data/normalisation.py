"""What stands between pixels in [0, 1] and what networks are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


class Normalisation(ABC):
    """A map from images in [0, 1] to the input of networks, and its inverse. Frozen; equal and hashed by value."""

    @abstractmethod
    def apply(self, images: Tensor) -> Tensor:
        """What networks are given.

        Args:
            images: float32 ``... channel height width``, from 0 to 1 in real images. They are not changed.
        """

    @abstractmethod
    def invert(self, images: Tensor) -> Tensor:
        """The inverse of `apply`, to rounding: images in [0, 1] for real ones; learned ones reach beyond, and nothing is clipped.

        Args:
            images: ``... channel height width``, as `apply` gives them.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Its constants, as plain values for a run's configuration."""

    @property
    @abstractmethod
    def key(self) -> tuple[Any, ...]:
        """What the input of a network depends on, for the keys of caches; its ``repr`` is the same on every machine."""


@dataclass(frozen=True)
class PerChannel(Normalisation):
    """``x = (pixel - mean) / std`` in every channel.

    Attributes:
        mean: Per channel, of pixels in [0, 1].
        std: Per channel, above 0.

    Example:
        >>> PerChannel((0.5,), (0.25,)).apply(torch.tensor([[[0.5, 1.0]]])).tolist()
        [[[0.0, 2.0]]]
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, images: Tensor) -> Tensor:
        """``(pixel - mean) / std``."""
        return (images - self._column(self.mean, images)).div_(self._column(self.std, images))

    def invert(self, images: Tensor) -> Tensor:
        """``x std + mean``."""
        return (images * self._column(self.std, images)).add_(self._column(self.mean, images))

    def describe(self) -> dict[str, Any]:
        """Mean and standard deviation."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @property
    def key(self) -> tuple[Any, ...]:
        """Mean and standard deviation."""
        return (self.mean, self.std)

    @staticmethod
    def _column(values: tuple[float, ...], images: Tensor) -> Tensor:
        return torch.tensor(values, device=images.device)[:, None, None]
