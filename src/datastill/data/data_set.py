"""A data set: its splits, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from datastill.configuration import whole
from datastill.data.class_names import chosen
from datastill.data.images import ClassImages, fingerprint
from datastill.data.labelled import LabelledImages, Stored
from datastill.data.naming import source_of, spans
from datastill.data.normalisation import Normalisation, PerChannel
from datastill.data.notebook import COLUMNS, ROWS, gallery
from datastill.data.whitening import ZCA, Whitening
from datastill.errors import UserError, WrongTypeError, unknown
from datastill.size import Size
from datastill.text import escaped

SKIPPED = 1000
"""Names of images that were left out which a run records."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set with its splits and what is known about it.

    Attributes:
        name: The name it was asked for by, for example ``folder:photos@64``.
        train: What is distilled.
        validation: Held out of the training split, for every choice that is made; may be empty.
        test: Never used for selection.
        class_names: One name per class.
        mean: Per channel, of pixels in [0, 1]; images are normalised by (pixel - mean) / std.
        std: Per channel.
        flip: Whether a mirrored image keeps its class; not so for digits.
        fingerprint: Hash of the training split and its hold-out; the same images give the same one.
        held_out: The share of every class that was asked for as validation split.
        skipped: Images that were left out, as they cannot be read.
        notes: What was chosen when it was read, such as where its splits come from; a line each, as the command line says it.
        whitening: What images are normalised by instead; then every mean is 0 and every standard deviation 1.
    """

    name: str
    train: ClassImages
    validation: ClassImages
    test: ClassImages
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flip: bool
    fingerprint: str
    held_out: float = 0.0
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    whitening: ZCA | None = None

    def __repr__(self) -> str:
        lines = "\n  ".join(self._lines)
        return f"<{lines}>"

    @property
    def _lines(self) -> list[str]:
        """What it is, and what was chosen."""
        splits = ", ".join(f"{len(split)} {name}" for name, split in self.splits.items() if len(split))
        size = "x".join(map(str, (self.channels, *self.size)))
        return [f"{escaped(self.name)}: {splits} images of {self.classes} classes, {size}", *map(escaped, self.notes)]

    def _repr_html_(self) -> str:
        """A table of the first training images of every class."""
        starts = self.train.offsets[: min(ROWS, self.classes) + 1]
        rows = (self.train.gather(torch.arange(start, min(start + COLUMNS, end))) for start, end in pairwise(starts))
        return gallery(self._lines, self.class_names, rows)

    def __bool__(self) -> bool:
        return True  # `__len__` would be asked otherwise

    def __len__(self) -> int:
        """Refused, as is an item: a data set has several splits.

        Raises:
            WrongTypeError: Always; it says what has a length and items.
        """
        raise WrongTypeError(f"the data set {self.name} has several splits: `data.as_dataset('train')` is one with items, for a DataLoader")

    def __getitem__(self, index: Any) -> Any:
        return len(self)  # raises

    @property
    def classes(self) -> int:
        """Number of classes, those without an image included."""
        return len(self.class_names)

    @property
    def source(self) -> str:
        """The name without path, size and choice of classes, which published hyper-parameters are looked up by."""
        return source_of(self.name)

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.train.channels

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return self.train.size

    @property
    def normalisation(self) -> Normalisation:
        """What stands between its pixels and what networks are given."""
        return self.whitening or PerChannel(self.mean, self.std)

    @property
    def whitened_by(self) -> Whitening | None:
        """Which whitening it is; None without one."""
        return self.whitening.identity if self.whitening else None

    def normalised_by(self, normalisation: Normalisation) -> DataSet:
        """The same data set with another normalisation."""
        constants = normalisation.describe()
        whitening = normalisation if isinstance(normalisation, ZCA) else None
        return replace(self, mean=tuple(constants["mean"]), std=tuple(constants["std"]), whitening=whitening)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Turn uint8 ``... channel height width`` into normalised float32."""
        return self.normalisation.apply(pixels.float().div_(255))

    def denormalise(self, images: Tensor) -> Tensor:
        """Turn normalised images into pixels in [0, 1], clipped: what an 8-bit file can hold."""
        return self.normalisation.invert(images.float()).clamp_(0, 1)

    def split(self, name: str) -> ClassImages:
        """The split of that name: train, validation or test.

        Raises:
            UserError: If there is no such split, or it is empty.
        """
        splits = self.splits
        if name not in splits or not len(splits[name]):
            present = ", ".join(key for key, value in splits.items() if len(value))
            raise UserError(f"the data set {self.name} has no '{name}' split; it has: {present}")
        return splits[name]

    @property
    def splits(self) -> dict[str, ClassImages]:
        """The splits by name, those that are empty included."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def as_dataset(
        self,
        split: str = "train",
        *,
        form: str | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> LabelledImages:
        """A split as a map-style data set for a `torch.utils.data.DataLoader`.

        Args:
            split: "train", "validation" or "test".
            form: What an image is given as: a name of `datastill.data.labelled.FORMS`; by default "normalised", or "pil" for a transform of
                torchvision that takes PIL images alone, such as ``ToTensor()``.
            transform: Applied to every image.
            target_transform: Applied to every label, an int.

        Raises:
            UserError: If there is no such split or form.
        """
        part = self.split(split)
        return LabelledImages(
            Stored(part.storage, part.rows), part.labels, self.class_names, self.normalisation,
            form=form, transform=transform, target_transform=target_transform,
        )  # fmt: skip

    def only(self, classes: Sequence[int | str]) -> DataSet:
        """The same data set with some of its classes: their images in every split, held out and normalised as in the whole.

        Args:
            classes: At least two different classes, by number or by name, in the order that they are to be numbered in.

        Returns:
            A data set whose name, such as ``cifar100[0-19]``, `datastill.load` takes.

        Raises:
            UserError: If a class is unknown or named twice, or there are fewer than two.
        """
        labels = [self._label(entry) for entry in classes]
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise UserError(f"a choice of classes needs at least two different ones, got {list(classes)}")
        train, names = self.train.only(labels), tuple(self.class_names[label] for label in labels)
        return replace(
            self,
            name=f"{self.name}[{spans(labels)}]",
            train=train,
            validation=self.validation.only(labels),
            test=self.test.only(labels),
            class_names=names,
            fingerprint=fingerprint(train, names),
        )

    def _label(self, entry: int | str) -> int:
        if isinstance(entry, str):
            if entry not in self.class_names:
                raise unknown(f"class of {self.name}", entry, self.class_names)
            return self.class_names.index(entry)
        return whole("classes", entry, least=0, most=self.classes - 1)

    def numbered(self, classes: Sequence[str]) -> list[int]:
        """The numbers of classes that are given by name, or by number where no class is called so.

        Raises:
            UserError: If a class is unknown or named twice.
        """
        return [self.class_names.index(name) for name in chosen(classes, self.class_names, self.name)]

    def describe(self) -> dict[str, Any]:
        """What a run's configuration records of it, as plain values."""
        skipped = {"skipped": {"images": len(self.skipped), "names": list(self.skipped[:SKIPPED])}} if self.skipped else {}
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "train": len(self.train),
            "validation": len(self.validation),
            "held_out": self.held_out,
            **self.normalisation.describe(),
            **skipped,
        }
