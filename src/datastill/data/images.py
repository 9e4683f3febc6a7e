"""Labelled images in memory: uint8, class after class, drawn by class."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from datastill import random
from datastill.configuration import whole
from datastill.data.class_names import chosen
from datastill.data.labelled import LabelledImages, Stored
from datastill.data.naming import source_of, spans
from datastill.data.notebook import COLUMNS, ROWS, gallery
from datastill.data.sources import Sources
from datastill.errors import UserError, unknown
from datastill.size import Size
from datastill.text import escaped

SKIPPED = 1000
"""Names of images that were left out which a run records."""
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

    def __repr__(self) -> str:
        splits = ", ".join(f"{len(split)} {name}" for name, split in self.splits.items() if len(split))
        return f"<{escaped(self.name)}: {splits} images of {self.classes} classes, {self.channels}x{self.size[0]}x{self.size[1]}>"

    def _repr_html_(self) -> str:
        """A table of the first training images of every class."""
        starts = self.train.offsets[: min(ROWS, self.classes) + 1]
        rows = (self.train.gather(torch.arange(start, min(start + COLUMNS, end))) for start, end in pairwise(starts))
        return gallery(repr(self)[1:-1], self.class_names, rows)

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

    def normalise(self, pixels: Tensor) -> Tensor:
        """Turn uint8 ``... channel height width`` into normalised float32."""
        mean, std = self._constants(pixels.device)
        return pixels.float().div_(255).sub_(mean).div_(std)

    def denormalise(self, images: Tensor) -> Tensor:
        """Turn normalised images into pixels in [0, 1], clipped: what an 8-bit file can hold."""
        mean, std = self._constants(images.device)
        return images.float().mul(std).add(mean).clamp(0, 1)

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
        form: str = "normalised",
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> LabelledImages:
        """A split as a map-style data set for a `torch.utils.data.DataLoader`.

        Args:
            split: "train", "validation" or "test".
            form: What an image is given as: a name of `datastill.data.labelled.FORMS`.
            transform: Applied to every image.
            target_transform: Applied to every label, an int.

        Raises:
            UserError: If there is no such split or form.
        """
        part = self.split(split)
        return LabelledImages(
            Stored(part.storage, part.rows), part.labels, self.class_names, self.mean, self.std,
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
            "mean": list(self.mean),
            "std": list(self.std),
            **skipped,
        }

    def _constants(self, device: torch.device) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.mean, device=device)[:, None, None], torch.tensor(self.std, device=device)[:, None, None]


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
