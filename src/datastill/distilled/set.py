"""The distilled set itself: float images, labels and learned numbers with everything known about them, checked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datastill.augment import LEAST_SIDE, expand
from datastill.data.image_folder import array
from datastill.data.labelled import LabelledImages, takes_pil
from datastill.data.loading import whitening_of
from datastill.data.normalisation import Normalisation, PerChannel
from datastill.data.notebook import gallery
from datastill.data.whitening import Whitening
from datastill.errors import UserError
from datastill.kinds import LEARNING_RATE, Canvas, Selection
from datastill.labels import HARD, classes_of, problem, track
from datastill.logs import logger
from datastill.methods import kind_of
from datastill.text import escaped

log = logger(__name__)

NUMBER = re.compile(r"[a-z][a-z0-9_.]{0,59}")
"""Names of learned numbers."""


@dataclass(frozen=True)
class Origin:
    """Where a distilled set comes from: the header of its file.

    Attributes:
        data: The data set's name, as in `datastill.load`.
        fingerprint: Of the training split it was distilled from.
        class_names: One per class.
        mean: Per channel, that the images are normalised with.
        std: Per channel.
        flip: Whether a mirrored image keeps its class.
        method: For example "dm+iid".
        seed: Of the run.
        iterations: Steps taken.
        factor: Parts per side of an image, each used as a separate image; 1 for none.
        version: Of the package that made it.
        held_out: Share of every class that was held out of what it was distilled from, as validation split.
        kind: Of the method, for example "selection"; empty where it was not recorded.
        whitening: What the images are whitened by instead; then every mean is 0 and every standard deviation 1.
    """

    data: str
    fingerprint: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flip: bool
    method: str
    seed: int
    iterations: int
    factor: int = 1
    version: str = ""
    held_out: float = 0.1
    kind: str = ""
    whitening: Whitening | None = None

    @property
    def normalisation(self) -> Normalisation:
        """What stands between pixels and the images of the set.

        Raises:
            UserError: If they are whitened, the cache does not have the matrices, and the data set cannot be loaded or has changed.
        """
        if self.whitening is None:
            return PerChannel(self.mean, self.std)
        try:
            return whitening_of(self.whitening, self.data, self.held_out)
        except UserError as error:
            raise UserError(f"{error} (the set is whitened by its training images; if they have moved, give them with `data`)") from error

    @property
    def made(self) -> dict[str, str | int]:
        """How the set was made, as plain values; empty for a file made by other code, which does not say."""
        return {"method": self.method, "iterations": self.iterations, "seed": self.seed} if self.version else {}

    @property
    def real(self) -> bool | None:
        """Whether the images are real ones that were chosen; None where that is not known, as of a file made by other code."""
        kind = self.kind or kind_of(self.method)
        return kind == Selection.kind if kind else None


@dataclass(frozen=True, eq=False)
class SyntheticImages(Dataset[tuple[Any, Any]]):
    """A few images per class, synthetic or chosen, and where they come from. `datastill.DistilledSet` is one that is saved and loaded.

    Attributes:
        images: float32 ``image channel height width``, normalised; class after class.
        labels: int64 ``image``, or float32 ``image class`` where they are soft.
        origin: Where they come from.
        label_kind: What the labels are, one of `datastill.labels.KINDS`.
        numbers: Other numbers that were learned, by name; "learning_rate" is what networks are trained on the set with.
    """

    images: Tensor
    labels: Tensor
    origin: Origin
    label_kind: str = HARD
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.canvas, self.origin, "the distilled set")

    @classmethod
    def of(cls, canvas: Canvas, origin: Origin) -> Self:
        """What was learned, with where it comes from."""
        return cls(canvas.images, canvas.labels, origin, canvas.label_kind, canvas.numbers)

    def __len__(self) -> int:
        """How many images networks are trained on: those that are stored, or their parts where images have parts."""
        return len(self.images) * self.origin.factor**2

    def __getitem__(self, index: SupportsIndex | slice | Sequence[int] | Tensor) -> tuple[Any, Any]:
        """What networks are trained on: a normalised image, float32 ``channel height width``, and its label (see `expanded`).

        Of a slice or several positions a batch of them: images and labels.
        """
        return self._items[index]

    def __repr__(self) -> str:
        origin, stored = self.origin, self.images
        kind = {True: " real", False: " synthetic", None: ""}[origin.real]
        parts = f" in {len(self)} parts" if origin.factor > 1 else ""
        return (
            f"<{escaped(origin.data)} by {escaped(origin.method)}: {len(stored)}{kind} images{parts} of {len(origin.class_names)} classes, "
            f"{'x'.join(map(str, stored.shape[1:]))}, {self.track} labels>"
        )

    def _repr_html_(self) -> str:
        """A table of the images by class."""
        return gallery([repr(self)[1:-1]], self.origin.class_names, (self.pixels[rows] for rows in self.rows_by_class()))

    @cached_property
    def _items(self) -> LabelledImages:
        return self.as_dataset()

    def as_dataset(
        self,
        *,
        form: str | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> LabelledImages:
        """What networks are trained on (see `expanded`) as a map-style data set for a `torch.utils.data.DataLoader`.

        Args:
            form: What an image is given as: a name of `datastill.data.labelled.FORMS`. "pil" clips to 8 bits (see `clipped`). By default
                "normalised", or "pil" for a transform of torchvision that takes PIL images alone, such as ``ToTensor()``.
            transform: Applied to every image.
            target_transform: Applied to every label: an int, or float32 ``class`` where labels are soft.

        Raises:
            UserError: If there is no such form.
        """
        images, labels = self.expanded()
        if form is None and takes_pil(transform) and self.clipped:
            log.warning(
                "the transform takes PIL images, whose 8 bits clip %.0f%% of the values of the set: `form=pil` says that this is meant",
                100 * self.clipped,
            )
        return LabelledImages(
            images, labels, self.origin.class_names, self.origin.normalisation,
            form=form, transform=transform, target_transform=target_transform,
        )  # fmt: skip

    @property
    def ipc(self) -> float:
        """Images per class; a mean where classes differ."""
        return len(self.images) / len(self.origin.class_names)

    @property
    def canvas(self) -> Canvas:
        """What was learned."""
        return Canvas(self.images, self.labels, self.label_kind, self.numbers)

    @property
    def track(self) -> str:
        """Whether the labels are "hard" or "soft", whose results are never compared in one table."""
        return track(self.label_kind)

    @property
    def hard_labels(self) -> Tensor:
        """The class of every image, int64: of soft labels the one with the largest value."""
        return classes_of(self.labels)

    @property
    def made_of(self) -> Tensor:
        """The class whose images every image was drawn from or started as, int64; labels that are learned may say another one.

        A set by other code does not say it: there it is the class of the label.
        """
        return self.canvas.made_of(len(self.origin.class_names)) if self.origin.version else self.hard_labels

    @property
    def learning_rate(self) -> float | None:
        """The learned learning rate; None where none was learned."""
        return self.numbers.get(LEARNING_RATE)

    @cached_property
    def pixels(self) -> Tensor:
        """What an 8-bit file holds: uint8 ``image channel height width``, clipped to what a screen can show."""
        return self.origin.normalisation.invert(self.images).clamp(0, 1).mul(255).round().to(torch.uint8)

    @property
    def clipped(self) -> float:
        """The share of the values, from 0 to 1, that an 8-bit file cannot hold: those it clips."""
        return float(((self.origin.normalisation.invert(self.images) - 0.5).abs() > 0.5 + 0.5 / 255).float().mean())

    @property
    def loss_of_rendering(self) -> float:
        """How far an 8-bit file changes a value, root mean square, in standard deviations of real images."""
        return float((self.rendered().images - self.images).square().mean().sqrt())

    def expanded(self) -> tuple[Tensor, Tensor]:
        """What networks are trained on: images and labels; where images have parts, each part enlarged to a separate image."""
        return expand(self.images, self.origin.factor), self.labels.repeat_interleave(self.origin.factor**2, dim=0)

    def rendered(self) -> Self:
        """The same set rounded to 8 bits and normalised again."""
        return replace(self, images=self.origin.normalisation.apply(self.pixels.float() / 255))

    def of_parts(self) -> Self:
        """The set with every part of an image enlarged to a separate image, for programs that know nothing about parts."""
        images, labels = self.expanded()
        return replace(self, images=images.contiguous(), labels=labels, origin=replace(self.origin, factor=1))

    def rows_by_class(self) -> list[list[int]]:
        """The positions of every class's images."""
        return [(self.made_of == label).nonzero().flatten().tolist() for label in range(len(self.origin.class_names))]

    def pixel_array(self, row: int) -> NDArray[np.uint8]:
        """One image as uint8 ``height width`` (1 channel) or ``height width channel``."""
        return array(self.pixels[row])


def check(canvas: Canvas, origin: Origin, name: str) -> None:
    """Refuse images, labels, numbers and an origin that cannot belong together.

    Args:
        canvas: What was learned.
        origin: As in `SyntheticImages`.
        name: What they are of, as the message says it.

    Raises:
        UserError: If a shape, a type or a value is not what it must be.
    """
    images = canvas.images
    classes, channels = len(origin.class_names), len(origin.mean)
    found = None
    if classes < 1 or channels not in (1, 3):
        found = f"expected at least one class and 1 or 3 channels, got {classes} and {channels}"
    elif images.ndim != 4 or images.dtype != torch.float32 or images.shape[1] != channels or min(images.shape) < 1:
        found = f"images must be float32 (image, {channels}, height, width), got {images.dtype} {tuple(images.shape)}"
    elif said := problem(canvas.labels, canvas.label_kind, len(images), classes):
        found = said
    elif not bool(images.isfinite().all()):
        found = f"{int((~images.isfinite()).sum())} pixel values are NaN or infinite"
    elif not 1 <= origin.factor <= max(1, min(images.shape[2:]) // LEAST_SIDE):
        found = f"images of {images.shape[2]}x{images.shape[3]} pixels cannot have {origin.factor} parts a side"
    elif len(origin.std) != channels or min(origin.std) <= 0:
        found = f"the standard deviations must be {channels} numbers above 0, got {origin.std}"
    elif odd := next((key for key, value in canvas.numbers.items() if not NUMBER.fullmatch(key) or not math.isfinite(value)), None):
        found = f"a learned number must be finite and named like learning_rate, got '{odd[:60]}' = {canvas.numbers[odd]}"
    if found:
        raise UserError(f"{name} is not valid: {found}")
