"""The real images of a step: which ones, and how they get to the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datastill import random
from datastill.data import DataSet


class RealBatches:
    """Draws as many real images of every class for an iteration.

    Args:
        data: What is distilled.
        size: Images of a class.
        seed: The run's seed.
        device: Where they are needed.
    """

    def __init__(self, data: DataSet, size: int, seed: int, device: torch.device) -> None:
        self.data, self.size, self.seed, self.device = data, size, seed, device
        self.ahead: dict[tuple[int, int], Tensor] = {}

    def draw(self, iteration: int, classes: Sequence[int]) -> Tensor:
        """The images of some classes at an iteration: ``class image channel height width``, normalised."""
        pixels = self.ahead.pop((iteration, classes[0]), None)
        pixels = self._gathered(iteration, classes) if pixels is None else pixels
        return torch.unflatten(self.data.normalise(pixels), 0, (len(classes), -1))

    def look_ahead(self, iteration: int, classes: Sequence[int]) -> None:
        """Gather the images of a later iteration now, for `draw` to find."""
        self.ahead = {(iteration, classes[0]): self._gathered(iteration, classes)}

    def _gathered(self, iteration: int, classes: Sequence[int]) -> Tensor:
        """The real images of a step, uint8, on the device: one gather, and a quarter of the bytes that floats would take to get there."""
        train = self.data.train
        rows = [train.draw(label, self.size, random.generator(self.seed, iteration, label, "real batch")) for label in classes]
        return train.gather(torch.cat(rows)).to(self.device)
