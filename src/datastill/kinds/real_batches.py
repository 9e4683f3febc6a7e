"""The real images that targets are taken from: which ones, in parts of what size, and how they get to the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.engine import even_micro_batch

SAMPLE = 64
"""Images of a class in its fixed sample: enough for a spread to be right within a few percent."""
EVERY_RUN = 0
"""The seed of draws that belong to no run, so that all runs share what is computed of them."""


class RealBatches:
    """Draws as many real images of every class for an iteration.

    Args:
        data: What is distilled.
        size: Images of a class, a multiple of `views`.
        seed: The run's seed.
        device: Where they are needed.
        views: Augmentation draws that the images of a class are divided among; every part has images of each.
        limit: The most images, of all classes together, in memory at a time; 0 for no limit.
    """

    def __init__(self, data: DataSet, size: int, seed: int, device: torch.device, views: int = 1, limit: int = 0) -> None:
        self.data, self.size, self.seed, self.device, self.views, self.limit = data, size, seed, device, views, limit
        self.ahead: dict[tuple[int, int], Tensor] = {}

    def draw(self, iteration: int, classes: Sequence[int]) -> Iterator[Tensor]:
        """The images of some classes at an iteration, in parts: each ``class image channel height width``, normalised."""
        first, *others = self._parts(classes, lambda label: random.generator(self.seed, iteration, label, "real batch"))
        pixels = self.ahead.pop((iteration, classes[0]), None)
        yield self._normalised(self._gathered(first) if pixels is None else pixels, len(classes))
        for rows in others:
            yield self._normalised(self._gathered(rows), len(classes))

    def look_ahead(self, iteration: int, classes: Sequence[int]) -> None:
        """Gather the first part of a later iteration now, for `draw` to find."""
        first, *_ = self._parts(classes, lambda label: random.generator(self.seed, iteration, label, "real batch"))
        self.ahead = {(iteration, classes[0]): self._gathered(first)}

    def kept(self, network: int, number: int, label: int) -> Iterator[Tensor]:
        """The images of a class that the target of a draw of augmentation is taken from, in parts, the same in every run.

        Args:
            network: Which of a fixed set of networks is to see them.
            number: Of the draw.
            label: The class.
        """
        for rows in self._parts([label], lambda label: random.generator(EVERY_RUN, network, number, label, "kept target")):
            yield self._normalised(self._gathered(rows), 1)

    def sample(self, label: int) -> Tensor:
        """The fixed sample of a class, up to `SAMPLE` images: the same ones in every run.

        Returns:
            ``1 image channel height width``, normalised; an image of the mean colour for a class without any.
        """
        count = min(self.data.train.counts[label], SAMPLE)
        if not count:
            return torch.zeros(1, 1, self.data.channels, *self.data.size, device=self.device)
        rows = self.data.train.draw(label, count, random.generator(EVERY_RUN, label, "spread sample"))
        return self._normalised(self._gathered(rows), 1)

    def _parts(self, classes: Sequence[int], generator: Callable[[int], torch.Generator]) -> list[Tensor]:
        """Positions of the images of some classes, part by part, each class after class and view after view."""
        rows = torch.stack([self.data.train.draw(label, self.size, generator(label)) for label in classes])
        rows = torch.unflatten(rows, 1, (self.views, -1))
        most = max(1, self.limit // (len(classes) * self.views)) if self.limit else rows.shape[2]
        return [part.flatten() for part in torch.split(rows, even_micro_batch(rows.shape[2], most), 2)]

    def _gathered(self, rows: Tensor) -> Tensor:
        """Images, uint8, on the device: one gather, and a quarter of the bytes that floats would take to get there."""
        return self.data.train.gather(rows).to(self.device)

    def _normalised(self, pixels: Tensor, classes: int) -> Tensor:
        return torch.unflatten(self.data.normalise(pixels), 0, (classes, -1))
