"""Parquet files in the layout of the Hugging Face hub: an image struct with bytes, class names in the schema's metadata."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datastill.data.decode import decode_blocks, headers, target
from datastill.data.storage import RawData, RawSplit
from datastill.errors import UserError
from datastill.files import reason
from datastill.size import Size

LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target")
TEST_NAMES = ("test", "validation", "valid", "val")


def read(path: Path, size: Size | None) -> RawData:
    """Read a folder of parquet files (or one file, then without a test split).

    Args:
        path: A folder with ``train-*.parquet`` or ``train/*.parquet``, in it or in its ``data`` folder; or one parquet file.
        size: Resize to this height and width; None keeps the images' own if they agree.

    Raises:
        UserError: If there is no such file, no image or label column, or an image cannot be decoded.
    """
    splits = _splits(path)
    shards = Shards(splits["train"])
    names = shards.class_names
    train = shards.split(names, size)
    test = next((splits[name] for name in TEST_NAMES if name in splits), None)
    return RawData(names, train, Shards(test).split(names, train.size, train.channels) if test else None)


class Columns(NamedTuple):
    """The columns that matter, and the names that the schema's metadata gives the class numbers."""

    image: str
    label: str
    described: tuple[str, ...]


class Shards:
    """The files of one split, read a thousand rows at a time.

    Args:
        files: In order; all with the columns of the first.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self.columns = _columns(files[0])

    @cached_property
    def labels(self) -> list[int | str]:
        """The label of every row as it is stored."""
        values = [value for file in self.files for batch in _batches(file, self.columns.label) for value in batch.to_pylist()]
        unusable = next((value for value in values if value is None or (not isinstance(value, str) and value < 0)), 0)
        if not values or unusable != 0:
            raise UserError(
                f"parquet:{self.files[0]}: the label column '{self.columns.label}' must hold class names or class numbers from 0, "
                f"but it {'has ' + ('a missing label' if unusable is None else str(unusable)) if values else 'is empty'}"
            )
        return values

    @property
    def class_names(self) -> tuple[str, ...]:
        """The described class names; without a description the labels that occur, in order."""
        numbers_first = sorted(set(self.labels), key=lambda value: (isinstance(value, str), value))
        return self.columns.described or tuple(str(value) for value in numbers_first)

    def split(self, class_names: Sequence[str], size: Size | None, channels: int | None = None) -> RawSplit:
        """Describe the split, its labels numbered as the training split's class names are."""
        number = {name: index for index, name in enumerate(class_names)}
        described = self.columns.described
        texts = [described[value] if isinstance(value, int) and value < len(described) else str(value) for value in self.labels]
        strangers = sorted({text for text in texts if text not in number})
        if strangers:
            raise UserError(f"parquet:{self.files[0]}: classes that its training split or its metadata lacks: {', '.join(strangers[:5])}")
        labels = np.array([number[text] for text in texts], dtype=np.int64)
        where = [f"row {row} of {file}" for file in self.files for row in range(_rows(file))]
        headings = headers(self.images(), where)
        channels = channels or max(heading.channels for heading in headings)
        goal = target(headings, size, str(self.files[0].parent))
        identity = repr([(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in self.files])
        return RawSplit(labels, channels, goal, lambda: decode_blocks(self.images(), where, headings, channels, goal), identity)

    def images(self) -> Iterator[io.BytesIO]:
        """Every image as a file, in order."""
        for file in self.files:
            row = 0
            for batch in _batches(file, self.columns.image):
                for data in batch.flatten()[batch.type.get_field_index("bytes")].to_pylist():
                    if data is None:
                        raise UserError(
                            f"parquet:{file}: row {row} has no image bytes (a path alone is not enough); embed the images in the file"
                        )
                    yield io.BytesIO(data)
                    row += 1


def _splits(path: Path) -> dict[str, list[Path]]:
    if path.is_file():
        return {"train": [path]}
    if not path.is_dir():
        raise UserError(f"parquet:{path}: no such file or folder; expected a folder with train-*.parquet, as on the Hugging Face hub")
    patterns = ("*.parquet", "data/*.parquet", "*/*.parquet")
    files = next((found for pattern in patterns if (found := sorted(path.glob(pattern)))), [])
    files = [file for file in files if not file.name.startswith(".")]
    splits: dict[str, list[Path]] = {}
    configurations = set()
    for file in files:
        inside = file.parent != path
        for text, folder in ((file.stem, file.parent), (file.parent.name if inside else "", file.parent.parent)):
            match = re.search(rf"(?:^|[-_.])(train|{'|'.join(TEST_NAMES)})", text.lower())
            if match:
                splits.setdefault(match[1], []).append(file)
                configurations.add(folder)
                break
    if "train" not in splits:
        present = ", ".join(file.name for file in files[:5]) or "no parquet file"
        raise UserError(f"parquet:{path}: expected files named train-*.parquet, found {present}")
    if len(configurations) > 1:
        folders = ", ".join(sorted(folder.name for folder in configurations))
        raise UserError(f"parquet:{path} holds several data sets ({folders}); name the folder of one of them")
    return splits


def _columns(file: Path) -> Columns:
    import pyarrow.parquet as pq
    from pyarrow import types

    with _reading(file):
        schema = pq.read_schema(file)
    images = [field.name for field in schema if types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0]
    kinds = (types.is_integer, types.is_string, types.is_large_string, types.is_boolean, types.is_dictionary)
    labels = [field.name for field in schema if any(kind(field.type) for kind in kinds)]
    label = next((name for name in LABEL_COLUMNS if name in labels), labels[0] if len(labels) == 1 else None)
    if not images or label is None:
        raise UserError(
            f"parquet:{file}: expected an image column (a struct with bytes) and a label column "
            f"({', '.join(LABEL_COLUMNS)}), found: {', '.join(f'{field.name} ({field.type})' for field in schema)}"
        )
    return Columns(images[0], label, _described(schema, label))


def _described(schema: Any, label: str) -> tuple[str, ...]:
    try:
        names = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][label]["names"]
    except (ValueError, LookupError, TypeError):
        return ()
    return tuple(str(name) for name in names or ())


def _batches(file: Path, column: str) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with _reading(file), pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(batch_size=1024, columns=[column]):
            if not batch.num_columns:
                raise UserError(f"parquet:{file}: no column '{column}', which the first file of the split has")
            yield batch.column(0)


def _rows(file: Path) -> int:
    import pyarrow.parquet as pq

    with _reading(file):
        return int(pq.read_metadata(file).num_rows)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"parquet:{file}: cannot be read as parquet ({reason(error)})") from error
