"""Parquet files in the layout of the Hugging Face hub: an image struct with bytes, class names in the schema's metadata."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datastill.data.decode import Header, decode, headers, target
from datastill.data.storage import RawData, RawSplit
from datastill.errors import UserError
from datastill.networks.network import Size

LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target")
TEST_NAMES = ("test", "validation", "valid", "val")


def read(path: Path, size: Size | None) -> RawData:
    """Read a folder of parquet files (or one file, then without a test split).

    Args:
        path: A folder in which some file's name begins with ``train``, in it or in its ``data`` folder; or one parquet file.
        size: Resize to this height and width; None keeps the images' own if they agree.

    Raises:
        UserError: If there is no such file, no image or label column, or an image cannot be decoded.
    """
    splits = _splits(path)
    train, names = _read_split(splits["train"], size)
    test_files = next((splits[name] for name in TEST_NAMES if name in splits), None)
    if test_files is None:
        return RawData(names, train, None)
    test, test_names = _read_split(test_files, train.size, channels=train.channels)
    if len(test_names) > len(names) or test_names != names[: len(test_names)]:
        raise UserError(f"the test split of parquet:{path} has other classes than its training split: {_difference(test_names, names)}")
    return RawData(names, train, test)


def _difference(one: tuple[str, ...], other: tuple[str, ...]) -> str:
    extra = [name for name in one if name not in other] or ["the same names in another order"]
    return ", ".join(extra[:5])


def _splits(path: Path) -> dict[str, list[Path]]:
    if path.is_file():
        return {"train": [path]}
    if not path.is_dir():
        raise UserError(f"parquet:{path}: no such file or folder; expected a folder with train-*.parquet, as on the Hugging Face hub")
    files = sorted(path.glob("*.parquet")) or sorted((path / "data").glob("*.parquet")) or sorted(path.glob("*/*.parquet"))
    splits: dict[str, list[Path]] = {}
    for file in files:
        known = next((name for name in ("train", *TEST_NAMES) if file.name.lower().startswith(name)), None)
        if known:
            splits.setdefault(known, []).append(file)
    if "train" not in splits:
        found = ", ".join(file.name for file in files[:5]) or "no parquet file"
        raise UserError(f"parquet:{path}: expected files named train-*.parquet, found {found}")
    return splits


def _read_split(files: list[Path], size: Size | None, channels: int | None = None) -> tuple[RawSplit, tuple[str, ...]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(files[0])
        image, label = _columns(schema, files[0])
        tables = [pq.read_table(file, columns=[image, label]) for file in files]
        labels, names = _labels(pa.concat_tables(table.select([label]) for table in tables).column(0), schema, label)
        payloads = [data for table in tables for data in _payloads(table.column(image), files[0])]
    except pa.ArrowException as error:
        raise UserError(f"parquet:{files[0]}: cannot be read as parquet ({str(error).splitlines()[0]})") from error
    where = [f"row {row} of {files[0].parent}" for row in range(len(payloads))]
    headings = headers((io.BytesIO(data) for data in payloads), where)
    channels = channels or max(heading.channels for heading in headings)
    goal = target(headings, size, str(files[0].parent))
    blocks = partial(_blocks, payloads, headings, where, channels, goal)
    identity = repr([(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files])
    return RawSplit(labels, channels, goal, blocks, identity), names


def _blocks(
    payloads: list[bytes], headings: list[Header], where: list[str], channels: int, size: Size
) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(payloads), 1024):
        rows = range(start, min(start + 1024, len(payloads)))
        yield np.stack([decode(io.BytesIO(payloads[row]), where[row], channels, size) for row in rows])


def _columns(schema: Any, file: Path) -> tuple[str, str]:
    import pyarrow as pa

    images = [field.name for field in schema if pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0]
    integers = [field.name for field in schema if pa.types.is_integer(field.type) or pa.types.is_string(field.type)]
    label = next((name for name in LABEL_COLUMNS if name in integers), integers[0] if len(integers) == 1 else None)
    if not images or label is None:
        raise UserError(
            f"parquet:{file}: expected an image column (a struct with bytes) and a label column "
            f"({', '.join(LABEL_COLUMNS)}), found: {', '.join(f'{field.name} ({field.type})' for field in schema)}"
        )
    return images[0], label


def _labels(column: Any, schema: Any, name: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    import pyarrow as pa

    if pa.types.is_string(column.type):
        texts = column.to_pylist()
        names = tuple(sorted(set(texts)))
        return np.array([names.index(text) for text in texts], dtype=np.int64), names
    labels = column.to_numpy().astype(np.int64)
    if len(labels) == 0 or labels.min() < 0:
        raise UserError(f"the label column '{name}' must hold class numbers from 0, but it is empty or has a negative or missing label")
    metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    described = metadata.get("info", {}).get("features", {}).get(name, {}).get("names")
    count = int(labels.max()) + 1
    names = tuple(described) if described and len(described) >= count else tuple(str(label) for label in range(count))
    return labels, names


def _payloads(column: Any, file: Path) -> list[bytes]:
    payloads = [row["bytes"] if row else None for row in column.to_pylist()]
    missing = next((row for row, data in enumerate(payloads) if data is None), None)
    if missing is not None:
        raise UserError(f"parquet:{file}: row {missing} has no image bytes (a path alone is not enough); embed the images in the file")
    return payloads
