"""Tables with a column of images and a column of labels: files of parquet, data sets of the Hugging Face hub."""

from __future__ import annotations

import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from datastill.data.class_names import distinct, some
from datastill.data.classes import Labels
from datastill.data.image_files import BrokenImageError, Source
from datastill.data.listing import Listing, split
from datastill.data.storage import RawData, RawSplit
from datastill.errors import UserError, unknown
from datastill.logs import logger, note
from datastill.reading import Reading
from datastill.size import Size

log = logger(__name__)

IMAGE_COLUMNS = ("image", "img", "images", "picture", "photo")
LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target")


class Table(ABC):
    """Rows of images and labels, read a few at a time.

    Attributes:
        name: What it is called in messages.
        paths: Whether an image may be the path of a file.
    """

    name: str
    paths: bool = False

    @property
    @abstractmethod
    def schema(self) -> Any:
        """Its columns and their types, as pyarrow has them, with what the hub's metadata say."""

    @abstractmethod
    def batches(self, column: str) -> Iterator[Any]:
        """A column in parts, as arrays of pyarrow."""

    @abstractmethod
    def rows(self) -> list[str]:
        """What every row is called in messages."""

    @abstractmethod
    def identity(self) -> str:
        """Names the table and its state; "" for one that cannot be told from others."""


class Columns(NamedTuple):
    """The columns that matter, and the names that the metadata give the class numbers."""

    image: str
    label: str
    described: tuple[str, ...]


def read(train: Table, test: Table | None, size: Size | None, reading: Reading, channels: int | None = None) -> RawData:
    """Read a training and a test split.

    Args:
        train: What is distilled.
        test: What is tested on; None holds out a part of the former.
        size: Resize to this height and width; None keeps the images' own if they agree.
        reading: Which columns and classes; what is done about broken images.
        channels: 1 or 3; None takes 3 if any training image has colour.

    Raises:
        UserError: If there is no image or label column, a label is missing, or an image cannot be decoded.
    """
    columns = find_columns(train, reading)
    labels = _labels(train, columns)
    names = labels.class_names(reading)
    raw = _split(train, columns, labels, names, size, channels, reading)
    if test is None:
        return RawData(names, raw, None)
    own = find_columns(test, Reading(image_column=columns.image, label_column=columns.label))
    own = own if own.described else own._replace(described=columns.described)
    return RawData(names, raw, _split(test, own, _labels(test, own, is_test=True), names, raw.size, raw.channels, reading))


def _labels(table: Table, columns: Columns, *, is_test: bool = False) -> Labels:
    stored = [value for batch in table.batches(columns.label) for value in batch.to_pylist()]
    return Labels(stored, columns.described, table.name, f"the label column '{columns.label}'", is_test)


def _split(
    table: Table, columns: Columns, labels: Labels, names: Sequence[str], size: Size | None, channels: int | None, reading: Reading
) -> RawSplit:
    """Describe a split, its labels numbered as the training split's class names are."""
    several = sum(_holds_images(field.type) for field in table.schema) > 1

    def identity(names: Sequence[str]) -> str:
        found = table.identity()
        return f"{found} {columns.image}" if found and several else found

    numbers = labels.numbers(names, reading)
    listing = Listing(table.name, table.rows(), numbers, lambda: _images(table, columns.image, reading), identity)
    return split(listing.only((numbers >= 0).tolist()) if numbers.min() < 0 else listing, size, channels, reading)


def _images(table: Table, column: str, reading: Reading) -> Iterator[Source | BrokenImageError]:
    """Every image as a file, in order."""
    names = iter(table.rows())
    for batch in table.batches(column):
        for data, path in _files(batch):
            name = next(names)
            if data is not None:
                yield io.BytesIO(data)
            elif path and table.paths and "://" not in path:
                yield Path(path)
            elif reading.skip_broken:
                yield BrokenImageError(name, "it has no bytes")
            else:
                row, _, where = name.partition(" of ")
                raise UserError(f"{where}: {row} has no image bytes (a path alone is not enough); embed the images in the file")


def find_columns(table: Table, reading: Reading) -> Columns:
    """The columns that were asked for, else those whose types and names say so.

    Raises:
        UserError: If there are none, or several that may be meant.
    """
    from pyarrow import types

    schema = table.schema
    images = _image_columns(schema)
    for argument, name in (("image_column", reading.image_column), ("label_column", reading.label_column)):
        if name is not None and name not in schema.names:
            raise unknown(f"`{argument}` of {table.name}:", name, (argument == "image_column" and images) or schema.names)
    image = reading.image_column
    if image is None:
        image = next((name for name in IMAGE_COLUMNS if name in images), images[0] if len(images) == 1 else None)
        if image is None and images:
            raise UserError(
                f"{table.name} has the image columns {' and '.join(images)}: `image_column={images[0]}` reads one of them, "
                f"`image_column={images[1]}` another"
            )
        _say_choice(table, image, images, "image_column")
    elif not _holds_images(schema.field(image).type):
        raise UserError(f"{table.name}: the column '{image}' must hold images as files (bytes), but it has {schema.field(image).type}")
    label = reading.label_column
    if label is None:
        named = [name for name in LABEL_COLUMNS if name in schema.names]
        usable = _usable(schema)
        others = [field.name for field in schema if _label_problem(field.type) is None and not types.is_floating(field.type)]
        label = next(iter((*usable, *named)), others[0] if len(others) == 1 else None)
        if usable:
            _say_choice(table, label, label_columns(schema), "label_column")
    if image is None or label is None:
        raise UserError(
            f"{table.name}: expected an image column (a struct with bytes, or bytes) and a label column ({', '.join(LABEL_COLUMNS)}), or "
            f"their names as `image_column` and `label_column`; found: {', '.join(f'{field.name} ({field.type})' for field in schema)}"
        )
    if problem := _label_problem(schema.field(label).type):
        raise UserError(f"{table.name}: the label column '{label}' must hold one class for each image, but {problem}")
    return Columns(image, label, distinct(_described(schema, label), table.name))


def label_columns(schema: Any) -> list[str]:
    """The columns that may be meant as the classes, those with the usual names first.

    Args:
        schema: As of a `Table`.
    """
    from pyarrow import types

    usable = _usable(schema)
    others = [field.name for field in schema if _label_problem(field.type) is None and not types.is_floating(field.type)]
    return [*usable, *(name for name in others if name not in usable and _is_class(schema, name))]


def _usable(schema: Any) -> list[str]:
    """The columns with a usual name that can hold classes."""
    return [name for name in LABEL_COLUMNS if name in schema.names and _label_problem(schema.field(name).type) is None]


def _image_columns(schema: Any) -> list[str]:
    """The columns that may hold images: those that the hub's type says it of, else plain bytes."""
    from pyarrow import types

    found = [field.name for field in schema if _holds_images(field.type)]
    return [name for name in found if types.is_struct(schema.field(name).type)] or found


def _holds_images(type: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(type) or types.is_large_binary(type) or (types.is_struct(type) and type.get_field_index("bytes") >= 0))


def _label_problem(type: Any) -> str | None:
    """Why a column of a type cannot hold classes; None if it can."""
    from pyarrow import types

    kinds = (types.is_integer, types.is_string, types.is_large_string, types.is_boolean, types.is_dictionary, types.is_floating)
    if any(kind(type) for kind in kinds):
        return None
    if types.is_list(type) or types.is_large_list(type) or types.is_fixed_size_list(type):
        return f"it has several numbers ({type}): soft labels; add a column with the class of the largest and name it as `label_column`"
    return f"it has {type}; `label_column` names another"


def _is_class(schema: Any, name: str) -> bool:
    """Whether a column of labels that has no usual name holds classes, by the hub's metadata or by its own name."""
    return bool(_described(schema, name)) or bool(re.search(r"label|class", name.lower()))


def _say_choice(table: Table, name: str | None, found: Sequence[str], argument: str) -> None:
    if others := [other for other in found if other != name]:
        note(log.warning, "%s: the column %s is read, not %s; `%s=%s` reads another", table.name, name, some(others), argument, others[0])


def _described(schema: Any, label: str) -> tuple[str, ...]:
    try:
        names = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][label]["names"]
    except (ValueError, LookupError, TypeError):
        return ()
    return tuple(str(name) for name in names or ())


def _files(batch: Any) -> Iterator[tuple[bytes | None, str | None]]:
    """The bytes and the path of every image in an array."""
    from pyarrow import types

    if not types.is_struct(batch.type):
        yield from ((data, None) for data in batch.to_pylist())
        return
    fields = batch.flatten()
    data, path = (batch.type.get_field_index(name) for name in ("bytes", "path"))
    yield from zip(fields[data].to_pylist(), fields[path].to_pylist() if path >= 0 else [None] * len(batch), strict=True)
