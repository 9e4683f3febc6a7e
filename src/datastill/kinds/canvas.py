"""What is learned: images, and labels and numbers where a kind learns them; what pixels start from and what moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from datastill import random, stopping
from datastill.augment import DSA, pack
from datastill.data import DataSet
from datastill.engine import Ranks
from datastill.errors import UserError
from datastill.files import check_tensors
from datastill.kinds.watch import farthest_image
from datastill.labels import HARD, classes_of
from datastill.text import counted

INITIALISATIONS = ("real", "noise", "augmented")
"""What pixels may start from; "augmented" is real images, and changed copies of them where a class has fewer than are needed."""
COPIES = ("colour", "crop", "flip", "scale", "rotate")
"""How a copy is changed: families of augmentation that leave all of the image visible."""
PIXELS = ("free", "box")
"""Where pixels may move: anywhere, or within what 8 bits hold."""
LEARNING_RATE = "learning_rate"
"""The learned number that a network is trained with on the set, if the evaluation's protocol says so."""

NUMBERS = "numbers."
"""What the names of learned numbers begin with among the tensors of a file."""
STEP_SIZE = "rate."
"""What the names of learned step sizes begin with."""


def step_size(epoch: int, image: int) -> str:
    """The name of the learned size of the step on an image of every class in an epoch, both counted from 0."""
    return f"{STEP_SIZE}{epoch}.{image}"


@dataclass(frozen=True, eq=False)
class Canvas:
    """What a kind has learned so far, on the CPU.

    Attributes:
        images: float32 ``image channel height width``, normalised; class after class.
        labels: int64 ``image``, or float32 ``image class`` where they are soft.
        label_kind: What the labels are, one of `datastill.labels.KINDS`.
        numbers: Other learned numbers by name, such as `LEARNING_RATE`.
    """

    images: Tensor
    labels: Tensor
    label_kind: str = HARD
    numbers: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def stacked(cls, images: Tensor) -> Self:
        """Images stacked by class, ``class image channel height width``, with hard labels."""
        return cls(images.flatten(0, 1), torch.arange(len(images)).repeat_interleave(images.shape[1]))

    def made_of(self, classes: int) -> Tensor:
        """The class that every image was drawn from or started as, int64: as many images of each class, one class after another.

        Where that cannot be, it is the class of the label.
        """
        if self.label_kind == HARD or len(self.images) % classes:
            return classes_of(self.labels)
        return torch.arange(classes).repeat_interleave(len(self.images) // classes)

    def tensors(self) -> dict[str, Tensor]:
        """What was learned, by name, for a file: the images, soft labels, and numbers as ``numbers.NAME``."""
        soft = {} if self.label_kind == HARD else {"labels": self.labels}
        numbers = {f"{NUMBERS}{name}": torch.tensor(value, dtype=torch.float64) for name, value in self.numbers.items()}
        return {"images": self.images, **soft, **numbers}


class PixelSGD:
    """SGD with momentum on the pixels of all classes.

    With one step per class, as in IDM's published loop, the optimizer steps after each class's loss; every such step also moves the other
    classes on by their momentum. As a class's loss depends on its own pixels only, all of an iteration's steps are equal to: move class k
    on by k steps of momentum (`before`), step with the gradients of all classes there, move on by the steps that are left (`step`). So
    every class still goes through the networks in one pass.

    Args:
        pixels: ``class image channel height width``, moved in place.
        learning_rate: Of every step.
        momentum: In [0, 1).
        by_class: Whether to step once for each class.
        halve_at: Iterations from which on the learning rate is half of what it was before.
        bounds: The lowest and the highest value of a pixel, which broadcast to `pixels`; after every iteration, and before the first, what
            lies beyond is moved to the nearer of them. None for no bounds.
        averaging: Decay in [0, 1) of a moving average of the pixels over iterations, which is what is learned then; 0 for none. The first
            iterations are averaged evenly: with the decay alone the initial images would weigh most for long.
    """

    def __init__(
        self, pixels: Tensor, *, learning_rate: float, momentum: float, by_class: bool = False, halve_at: Sequence[int] = (),
        bounds: tuple[Tensor, Tensor] | None = None, averaging: float = 0.0,
    ) -> None:  # fmt: skip
        self.pixels, self.learning_rate, self.momentum, self.by_class, self.halve_at = pixels, learning_rate, momentum, by_class, halve_at
        self.bounds, self.averaging = bounds, averaging
        self.velocity = torch.zeros_like(pixels)
        self._bound()
        self.average = pixels.detach().clone()

    @torch.no_grad()
    def before(self, iteration: int) -> None:
        """Move every class on to where its gradient is taken."""
        self.pixels.grad = None
        if self.by_class:
            self._drift(iteration, torch.arange(len(self.pixels), device=self.pixels.device))

    @torch.no_grad()
    def exchange(self, ranks: Ranks, sums: Sequence[Tensor]) -> list[Tensor]:
        """Take over from the other processes of a run the gradients of the classes that they own.

        Args:
            ranks: The processes.
            sums: Scalars of the own classes.

        Returns:
            The scalars, summed over processes.
        """
        own, classes = ranks.own(len(self.pixels)), len(self.pixels)
        gradient = torch.zeros_like(self.pixels) if self.pixels.grad is None else self.pixels.grad
        (self.pixels.grad,), summed = ranks.exchange([gradient[own.start : own.stop]], sums, classes, stopping.asked())
        return summed

    @torch.no_grad()
    def step(self, iteration: int) -> None:
        """Step with the gradients in `pixels`, and average.

        Raises:
            UserError: If a step within bounds was so long that nothing of an image is left.
        """
        if self.pixels.grad is not None:
            self.velocity.mul_(self.momentum).add_(self.pixels.grad)
            self.pixels.add_(self.velocity, alpha=-self.rate(iteration))
            if self.by_class:
                self._drift(iteration, torch.arange(len(self.pixels) - 1, -1, -1, device=self.pixels.device))
            if self.bounds is not None:  # beyond them everything looks alike
                farthest_image(iteration, self.pixels, "a term's weight or `learning_rate`")
            self._bound()
        if self.averaging:
            self.average.lerp_(self.pixels.detach(), max(1 - self.averaging, 1 / (iteration + 2)))

    def images(self) -> Tensor:
        """What is learned, on the CPU: the pixels, or their average over iterations."""
        return (self.average if self.averaging else self.pixels.detach()).cpu().clone()

    def state(self) -> dict[str, Tensor]:
        """The pixels, their momentum and, where it is kept, their average."""
        averaged = {"average": self.average} if self.averaging else {}
        return {"pixels": self.pixels.detach(), "momentum": self.velocity, **averaged}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave.

        Raises:
            UserError: If it does not fit.
        """
        check_tensors(state, self.state(), "the state of the pixels")
        self.pixels.copy_(state["pixels"])
        self.average.copy_(state.get("average", state["pixels"]))
        self.velocity.copy_(state["momentum"])

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration."""
        return self.learning_rate * 0.5 ** sum(iteration >= bound for bound in self.halve_at)

    @torch.no_grad()
    def _bound(self) -> None:
        """Move what lies beyond the bounds to them."""
        if self.bounds is not None:
            self.pixels.clamp_(*self.bounds)

    def _drift(self, iteration: int, steps: Tensor) -> None:
        """Take steps without a gradient, a different number for every class."""
        factor = torch.pow(torch.tensor(self.momentum, dtype=torch.float64, device=steps.device), steps)
        way = self.momentum * (1 - factor) / (1 - self.momentum)
        factor, way = (values.to(self.pixels.dtype)[:, None, None, None, None] for values in (factor, way))
        self.pixels.sub_(self.rate(iteration) * way * self.velocity)
        self.velocity.mul_(factor)


def bounds_of_bytes(data: DataSet, device: torch.device) -> tuple[Tensor, Tensor]:
    """The lowest and the highest normalised value that 8 bits hold, black and white, each ``channel 1 1``."""
    low, high = (data.normalise(torch.full((data.channels, 1, 1), value, dtype=torch.uint8, device=device)) for value in (0, 255))
    return low, high


def check_start(initialisation: str, data: DataSet, ipc: int, factor: int = 1) -> None:
    """Refuse to start from real images that a class has too few of.

    Args:
        initialisation: As in `initial_images`, and so the others.
        data: What is distilled.
        ipc: Images per class.
        factor: Parts per side of an image; 1 for none.

    Raises:
        UserError: If a class has too few.
    """
    smallest, parts = min(data.train.counts), factor**2
    if smallest >= {"real": ipc * parts, "augmented": 1}.get(initialisation, 0):
        return
    name = data.class_names[data.train.counts.index(smallest)]
    each = f" times {parts} parts" if parts > 1 else ""
    ways = [
        "`initialisation=augmented` for changed copies of its images" if smallest else "",
        f"`ipc={smallest // parts}`{' or less' * (smallest >= 2 * parts)}" if smallest >= parts else "",
        "`initialisation=noise`",
    ]
    *others, last = filter(None, ways)
    use = ", ".join([*others, f"or {last}"]) if others else last
    raise UserError(f"the class '{name}' has {counted(smallest, 'training image')}, fewer than IPC {ipc}{each}: use {use}")


def initial_images(initialisation: str, data: DataSet, ipc: int, seed: int, factor: int) -> Tensor:
    """Draw the images that a run starts from.

    Args:
        initialisation: "real" for real images, "noise" for normal noise, "augmented" as "real" but with the images that a class has too few
            of as augmented copies of its own, each changed in another way.
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
    count = ipc * factor**2
    rows = [data.train.draw(label, count, generator) for label, generator in enumerate(generators)]
    images = data.normalise(data.train.gather(torch.cat(rows)))
    if initialisation == "augmented":
        for label, available in enumerate(data.train.counts):
            for copy in range(available, count):
                place = slice(label * count + copy, label * count + copy + 1)
                images[place] = changed_copy(images[place], data, random.generator(seed, label, copy, "augmented copy"))
    return torch.unflatten(pack(images, factor), 0, (data.classes, ipc))


def changed_copy(image: Tensor, data: DataSet, generator: torch.Generator) -> Tensor:
    """An image changed by one draw of augmentation, ``1 channel height width``, normalised."""
    families = tuple(family for family in COPIES if data.flip or family != "flip")
    return DSA(families).batch(image, generator)
