"""What is learned: the pixels, what they start from and what moves them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datastill import random
from datastill.augment import pack
from datastill.data import DataSet

INITIALISATIONS = ("real", "noise")
"""What pixels may start from."""


class PixelSGD:
    """SGD with momentum on the pixels of all classes.

    With one step a class, as in IDM's published loop, the optimizer steps after each class's loss; every such step also moves the other
    classes on by their momentum. As a class's loss depends on its own pixels only, all of an iteration's steps are equal to: move class k
    on by k steps of momentum (`before`), step with the gradients of all classes there, move on by the steps that are left (`step`). So
    every class still goes through the networks in one pass.

    Args:
        pixels: ``class image channel height width``, moved in place.
        learning_rate: Of every step.
        momentum: In [0, 1).
        by_class: Whether to step once for each class.
        halve_at: Iterations from which on the learning rate is half of what it was before.
    """

    def __init__(
        self, pixels: Tensor, *, learning_rate: float, momentum: float, by_class: bool = False, halve_at: Sequence[int] = ()
    ) -> None:
        self.pixels, self.learning_rate, self.momentum, self.by_class, self.halve_at = pixels, learning_rate, momentum, by_class, halve_at
        self.velocity = torch.zeros_like(pixels)

    @torch.no_grad()
    def before(self, iteration: int) -> None:
        """Move every class on to where its gradient is taken."""
        self.pixels.grad = None
        if self.by_class:
            self._drift(iteration, torch.arange(len(self.pixels), device=self.pixels.device))

    @torch.no_grad()
    def step(self, iteration: int) -> None:
        """Step with the gradients in `pixels`."""
        if self.pixels.grad is None:
            return
        self.velocity.mul_(self.momentum).add_(self.pixels.grad)
        self.pixels.add_(self.velocity, alpha=-self.rate(iteration))
        if self.by_class:
            self._drift(iteration, torch.arange(len(self.pixels) - 1, -1, -1, device=self.pixels.device))

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration."""
        return self.learning_rate * 0.5 ** sum(iteration >= bound for bound in self.halve_at)

    def _drift(self, iteration: int, steps: Tensor) -> None:
        """Take so many steps without a gradient, another number for every class."""
        factor = torch.pow(torch.tensor(self.momentum, dtype=torch.float64, device=steps.device), steps)
        way = self.momentum * (1 - factor) / (1 - self.momentum)
        factor, way = (values.to(self.pixels.dtype)[:, None, None, None, None] for values in (factor, way))
        self.pixels.sub_(self.rate(iteration) * way * self.velocity)
        self.velocity.mul_(factor)


def initial_images(initialisation: str, data: DataSet, ipc: int, seed: int, factor: int) -> Tensor:
    """Draw the images that a run starts from.

    Args:
        initialisation: "real" for real images, "noise" for normal noise.
        data: What is distilled.
        ipc: Images per class.
        seed: The run's seed.
        factor: Parts per side of an image, each of them a real image made smaller; 1 for none.

    Returns:
        ``class image channel height width``, normalised.
    """
    generators = [random.generator(seed, label, "initial pixels") for label in range(data.classes)]
    if initialisation == "noise":
        return torch.stack([torch.randn(ipc, data.channels, *data.size, generator=generator) for generator in generators])
    rows = [data.train.draw(label, ipc * factor**2, generator) for label, generator in enumerate(generators)]
    return torch.unflatten(pack(data.normalise(data.train.gather(torch.cat(rows))), factor), 0, (data.classes, ipc))
