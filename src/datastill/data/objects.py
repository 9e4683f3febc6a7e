"""Data sets that a Python program holds: arrays, torch data sets, anything with a length whose items are an image and its label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from datastill.data import hub, splits
from datastill.data.arrays import channels_last, is_array, to_bytes
from datastill.data.class_names import distinct
from datastill.data.classes import Labels
from datastill.data.image_files import BrokenImageError, Header, Source, header
from datastill.data.listing import Listing, split
from datastill.data.storage import RawData, RawSplit
from datastill.errors import UserError
from datastill.files import reason
from datastill.logs import logger, note
from datastill.reading import Reading
from datastill.size import Size

log = logger(__name__)

KIND = "memory"
"""What the name of such a data set begins with."""
EXPECTED = (
    "a name, (images, labels), a torch Dataset of (image, label), a Hugging Face Dataset or DatasetDict, or splits such as "
    "{'train': ..., 'test': ...}"
)
UNREADABLE = (OSError, SyntaxError, EOFError, Image.DecompressionBombError)
"""What an item raises whose file is damaged; anything else is a fault of the data set."""
TWICE = 3
"""Items that are read twice, to see whether they are the same."""


def name_of(thing: object) -> str:
    """What a data set that has no name is called: such a name leads nowhere.

    Example:
        >>> name_of({"train": ([], [])}), name_of([])
        ('memory:arrays', 'memory:list')
    """
    inner = next(iter(thing.values()), None) if isinstance(thing, Mapping) else thing
    return f"{KIND}:{'arrays' if isinstance(inner, tuple) else type(inner).__name__}"


def read(thing: Any, size: Size | None, reading: Reading, class_names: Sequence[str] | None = None) -> RawData:
    """Read a data set that a program holds.

    Args:
        thing: See `EXPECTED`.
        size: Resize to this height and width; None keeps the images' own if they agree.
        reading: Which columns, splits and classes; what is done about broken images.
        class_names: By number; None takes those that the object has.

    Raises:
        UserError: If it is something else, or its images and labels are not understood.
    """
    name = name_of(thing)
    if hub.is_ours(thing) or (isinstance(thing, Mapping) and any(map(hub.is_ours, thing.values()))):
        if class_names is not None:
            raise UserError("`class_names` are for arrays and torch data sets; a Hugging Face data set has its own (ClassLabel)")
        return hub.read(thing, size, reading, name, paths=True)
    if reading.image_column or reading.label_column:
        raise UserError("`image_column` and `label_column` are for tables, but the data set given has pairs of an image and a label")
    if not isinstance(thing, Mapping):
        return _read(_items(thing, name), None, size, reading, class_names)
    keys = [str(key) for key in thing]
    if reading.train_split is None and not any(splits.is_train(key) for key in keys):
        raise UserError(
            f"a mapping must hold splits, such as train and test, got {', '.join(keys) or 'none'}; give arrays as (images, labels)"
        )
    train, test = splits.choose(keys, reading, name)
    parts = {str(key): value for key, value in thing.items()}
    items = _items(parts[train], f"{name}, split {train}")
    return _read(items, _items(parts[test], f"{name}, split {test}") if test else None, size, reading, class_names)


class Items(ABC):
    """Images and labels of a split.

    Attributes:
        name: What the split is called in messages.
        class_names: By number; empty where they are not known.
        headings: What the images are, once the labels were read, if they came together.
    """

    name: str
    class_names: tuple[str, ...] = ()
    headings: list[Header | BrokenImageError] | None = None

    @abstractmethod
    def labels(self) -> list[Any]:
        """Every label, as a number or a text."""

    @abstractmethod
    def images(self) -> Iterator[Source | BrokenImageError]:
        """Every image, or why it cannot be had."""


class Arrays(Items):
    """Images and labels as two arrays.

    Args:
        images: ``image ...``, in one of the layouts of `channels_last`.
        labels: ``image``.
        name: What they are called in messages.
    """

    def __init__(self, images: Any, labels: Any, name: str) -> None:
        self.name = name
        self.last = channels_last(tuple(images.shape[1:]), name)
        self.pixels, self.stored = to_bytes(images, name), labels
        if len(images) != len(labels):
            raise UserError(f"{name}: {len(images)} images but {len(labels)} labels")

    def labels(self) -> list[Any]:
        """Checked to be one for each image (see `Items.labels`)."""
        labels = np.asarray(self.stored)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.ndim != 1:
            raise UserError(
                f"{self.name}: expected one class for each image as labels, got {labels.shape}; for one-hot or soft labels, give "
                f"labels.argmax(1)"
            )
        return list(labels.tolist())

    def images(self) -> Iterator[Source | BrokenImageError]:
        """One after the other (see `Items.images`)."""
        return (_drawn(pixels, self.last) for pixels in self.pixels)


class Pairs(Items):
    """A map-style data set, whose items are an image and its label.

    Args:
        data: With a length.
        name: What it is called in messages.
    """

    def __init__(self, data: Any, name: str) -> None:
        self.data, self.name = data, name
        if not len(data):
            raise UserError(f"{name} is empty")
        self.broken: dict[int, BrokenImageError] = {}
        self.class_names = _class_names(data)
        if any(not _same(self._image(index), self._image(index)) for index in range(min(TWICE, len(data)))):
            note(log.warning, "%s: an item is a different image each time it is read (a random transform); one draw of each is kept", name)

    def labels(self) -> list[Any]:
        """Read from the items, and with them what the images are (see `Items.labels`)."""
        labels, self.headings = list[Any](), list[Header | BrokenImageError]()
        for index in range(len(self.data)):
            pair, where = self._pair(index), self._where(index)
            labels.append(None if pair is None else _label(pair[1], where))
            try:
                image = self.broken[index] if pair is None else self._drawn(pair[0], where)
                self.headings.append(image if isinstance(image, BrokenImageError) else header(image, where))
            except BrokenImageError as error:
                self.headings.append(error)
        some = next((label for label in labels if label is not None), None)
        # The class of an item that cannot be read is not known, and does not matter.
        return [some if index in self.broken else label for index, label in enumerate(labels)]

    def images(self) -> Iterator[Source | BrokenImageError]:
        """Read from the items (see `Items.images`)."""
        return (self._image(index) for index in range(len(self.data)))

    def _image(self, index: int) -> Source | BrokenImageError:
        pair = self._pair(index)
        return self.broken[index] if pair is None else self._drawn(pair[0], self._where(index))

    def _drawn(self, image: Any, where: str) -> Source:
        if isinstance(image, Image.Image):
            return image
        if not is_array(image):
            raise UserError(f"{where}: expected a PIL image, an array or a tensor as image, got {type(image).__name__}")
        return _drawn(to_bytes(image, where, one=True), channels_last(tuple(image.shape), where))

    def _pair(self, index: int) -> tuple[Any, Any] | None:
        if index in self.broken:
            return None
        where = self._where(index)
        try:
            item = self.data[index]
        except UNREADABLE as error:
            self.broken[index] = BrokenImageError(where, reason(error))
            return None
        if not isinstance(item, tuple | list) or len(item) != 2:
            said = f"{len(item)} values" if isinstance(item, tuple | list) else type(item).__name__
            raise UserError(f"{where}: expected an image and its label, got {said}; wrap the data set so that its items are such pairs")
        return item[0], item[1]

    def _where(self, index: int) -> str:
        file = _file(self.data, index)
        return f"item {index} of {self.name}" + (f", {file}" if file else "")


def _items(thing: Any, name: str) -> Items:
    if isinstance(thing, tuple | list) and len(thing) == 2 and is_array(thing[0]):
        return Arrays(thing[0], thing[1], name)
    if isinstance(thing, torch.utils.data.DataLoader):
        raise UserError(f"{name} is a DataLoader, which may shuffle and leave out images: give its data set, loader.dataset")
    if isinstance(thing, torch.utils.data.IterableDataset) or not (hasattr(thing, "__len__") and hasattr(thing, "__getitem__")):
        raise UserError(f"{name} has no length or no items: expected {EXPECTED}")
    if isinstance(thing, str | bytes | Mapping) or is_array(thing):
        raise UserError(f"{name} has no labels: expected {EXPECTED}")
    return Pairs(thing, name)


def _read(train: Items, test: Items | None, size: Size | None, reading: Reading, given: Sequence[str] | None) -> RawData:
    described = distinct(tuple(given) if given is not None else train.class_names, train.name)
    labels = Labels(train.labels(), described, train.name)
    names = labels.class_names(reading)
    raw = _split(train, labels, names, size, None, reading)
    if test is None:
        return RawData(names, raw, None)
    own = described if given is not None or not test.class_names else distinct(test.class_names, test.name)
    return RawData(names, raw, _split(test, Labels(test.labels(), own, test.name, is_test=True), names, raw.size, raw.channels, reading))


def _split(items: Items, labels: Labels, names: Sequence[str], size: Size | None, channels: int | None, reading: Reading) -> RawSplit:
    numbers = labels.numbers(names, reading)
    rows = [f"item {index} of {items.name}" for index in range(len(numbers))]
    listing = Listing(items.name, rows, numbers, items.images, lambda names: "", items.headings)
    return split(listing.only((numbers >= 0).tolist()) if numbers.min() < 0 else listing, size, channels, reading)


def _drawn(pixels: Any, last: bool) -> Source:
    """One image as Pillow takes it: ``height width`` or ``height width channel``."""
    shaped = pixels if last else pixels.transpose(1, 2, 0)
    return np.ascontiguousarray(shaped[..., 0] if shaped.ndim == 3 and shaped.shape[2] == 1 else shaped)


def _same(one: Source | BrokenImageError, other: Source | BrokenImageError) -> bool:
    if isinstance(one, BrokenImageError) or isinstance(other, BrokenImageError):
        return True
    return np.array_equal(np.asarray(one), np.asarray(other))


def _label(value: Any, where: str) -> Any:
    """A label as a plain value."""
    if is_array(value):
        if value.ndim and value.size != 1 if isinstance(value, np.ndarray) else value.numel() != 1:
            raise UserError(f"{where}: expected one class as label, got {tuple(value.shape)}; for one-hot or soft labels, give the argmax")
        return value.item()
    return value.item() if isinstance(value, np.generic) else value


def _file(data: Any, index: int) -> str | None:
    """The file of an item, where torchvision's data sets of files, or parts of them, say it."""
    if isinstance(data, torch.utils.data.Subset):
        return _file(data.dataset, data.indices[index])
    samples = getattr(data, "samples", None)
    return str(samples[index][0]) if isinstance(samples, list) and isinstance(samples[index], tuple) else None


def _class_names(data: Any) -> tuple[str, ...]:
    """The names that a data set, or the one that it is a part of, has for the numbers of its classes."""
    if getattr(data, "target_transform", None) is not None:
        return ()  # its labels are no longer those that the names are of
    names = getattr(data, "classes", None)
    if isinstance(names, Sequence) and not isinstance(names, str) and all(isinstance(name, str) for name in names):
        return tuple(names)
    if isinstance(inner := getattr(data, "datasets", None), Sequence):  # ConcatDataset
        found = {_class_names(part) for part in inner}
        return next(iter(found)) if len(found) == 1 else ()
    return _class_names(data.dataset) if hasattr(data, "dataset") else ()  # Subset
