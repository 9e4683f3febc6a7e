"""Data sets of the package `datasets`: from the Hugging Face hub or its cache, from `save_to_disk`, or held by a program."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from datastill.data import splits, table
from datastill.data.kind import instead
from datastill.data.storage import RawData
from datastill.errors import UserError
from datastill.files import check_regular, reason
from datastill.logs import logger, note
from datastill.reading import Reading
from datastill.size import Size

log = logger(__name__)

BATCH_ROWS = 1024
BATCH_BYTES = 2**27
"""Rows that are read at a time: fewer where they are large."""


def read_hub(path: Path, size: Size | None, reading: Reading) -> RawData:
    """Load a data set from the hub, or from the cache of `datasets` where there is no network. No code of it is executed.

    Args:
        path: ``OWNER/NAME``, or ``OWNER/NAME/CONFIGURATION`` where it has several.
        size: Resize to this height and width; None keeps the images' own if they agree.
        reading: Which columns, splits and classes; what is done about broken images.

    Raises:
        UserError: If the package is missing, or there is no such data set.
    """
    if not 1 <= len(path.parts) <= 3 or path.is_absolute():
        raise UserError(f"hub:{path}: expected hub:OWNER/NAME, or hub:OWNER/NAME/CONFIGURATION")
    name, configuration = "/".join(path.parts[:2]), path.parts[2] if len(path.parts) == 3 else None
    where = f"hub:{path.as_posix()}"
    module = _package(where)
    try:
        found = module.load_dataset(name, configuration)
    except Exception as error:  # what is raised without a network is up to the network library
        raise UserError(
            f"{where} cannot be loaded ({reason(error)}); check the name and the network, or name a folder of its parquet files as "
            f"parquet:PATH"
        ) from error
    return read(found, size, reading, where, paths=True)


def read_arrow(path: Path, size: Size | None, reading: Reading) -> RawData:
    """Read a folder that `save_to_disk` of `datasets` wrote.

    Raises:
        UserError: If the package is missing, or the folder is no such folder.
    """
    where = f"arrow:{path}"
    module = _package(where)
    try:
        for file in path.rglob("*"):
            if not file.is_dir():
                check_regular(file)
        found = module.load_from_disk(str(path))
    except Exception as error:  # of a damaged file it raises whatever its parts do
        raise UserError(
            f"{where} cannot be read ({reason(error)}); expected a folder that save_to_disk of the package datasets wrote"
            f"{instead(path, 'arrow')}"
        ) from error
    return read(found, size, reading, where)


def is_ours(thing: object) -> bool:
    """Whether an object is one of `datasets`, which is not imported for that."""
    module = sys.modules.get("datasets")
    kinds = [getattr(module, name, None) for name in ("Dataset", "DatasetDict", "IterableDataset", "IterableDatasetDict")]
    return isinstance(thing, tuple(kind for kind in kinds if isinstance(kind, type)))


def read(found: Any, size: Size | None, reading: Reading, where: str, *, paths: bool = False) -> RawData:
    """Read a `datasets.Dataset`, or a `datasets.DatasetDict` with its splits.

    Args:
        found: The object.
        size: Resize to this height and width; None keeps the images' own if they agree.
        reading: Which columns, splits and classes; what is done about broken images.
        where: What it is called in messages.
        paths: Whether an image may be the path of a file.

    Raises:
        UserError: If it is a stream, or has no images and labels.
    """
    if not isinstance(found, Mapping):
        return table.read(Split(found, where, paths), None, size, reading)
    train, test = splits.choose([str(name) for name in found], reading, where)
    held_out = Split(found[test], f"{where}, split {test}", paths) if test else None
    return table.read(Split(found[train], f"{where}, split {train}", paths), held_out, size, reading)


class Split(table.Table):
    """One split.

    Args:
        rows: A `datasets.Dataset`.
        name: What it is called in messages.
        paths: Whether an image may be the path of a file.
    """

    def __init__(self, rows: Any, name: str, paths: bool) -> None:
        if not hasattr(rows, "num_rows"):
            raise UserError(f"{name} is a stream without a known end, or not a data set: load it without streaming")
        if rows.format["type"] == "custom":
            note(log.warning, "%s: its transform is not applied: images are read as they are stored", name)
        self.name, self.paths, self.data = name, paths, rows

    @cached_property
    def schema(self) -> Any:
        """Its columns, with the names of its classes (see `Table.schema`)."""
        return self.data.features.arrow_schema

    def batches(self, column: str) -> Iterator[Any]:
        """A column (see `Table.batches`)."""
        each = self.data.data.nbytes // max(1, self.data.data.num_rows)
        rows = max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, each)))
        for part in self.data.select_columns([column]).with_format("arrow").iter(batch_size=rows):
            yield part.column(0).combine_chunks()

    @cached_property
    def _rows(self) -> list[str]:
        return [f"row {row} of {self.name}" for row in range(self.data.num_rows)]

    def rows(self) -> list[str]:
        """Numbers (see `Table.rows`)."""
        return self._rows

    def identity(self) -> str:
        """The fingerprint that `datasets` keeps (see `Table.identity`)."""
        return str(getattr(self.data, "_fingerprint", ""))


def _package(where: str) -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise UserError(f"{where} needs the package datasets: pip install 'datastill[hub]'") from error
    found: ModuleType = datasets
    return found
