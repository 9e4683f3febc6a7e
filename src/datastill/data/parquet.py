"""Parquet files in the layout of the Hugging Face hub: an image struct with bytes, class names in the schema's metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from datastill.data import splits, table
from datastill.data.class_names import some
from datastill.data.kind import instead
from datastill.data.storage import RawData
from datastill.errors import UserError
from datastill.files import check_regular, reason
from datastill.logs import logger, note
from datastill.reading import Reading
from datastill.size import Size

log = logger(__name__)

DEPTHS = ("*.parquet", "data/*.parquet", "*/*.parquet", "*/*/*.parquet")
"""Where the files of a data set may be in its folder: the first of these places with any."""
SHARD = re.compile(
    r"(?:^|[-_.]|(?<=train)|(?<=test)|(?<=val)|(?<=valid)|(?<=validation))(?P<number>\d+)(-of-(?P<count>\d+))?(-[0-9a-f]{8,})?$"
)
"""The end of the name of one of several files."""
BATCH_ROWS = 1024
BATCH_BYTES = 2**27
"""Rows that are read at a time: fewer where they are large."""


def read(
    path: Path,
    size: Size | None,
    reading: Reading | None = None,
    order: Sequence[str] = splits.TEST_NAMES,
    channels: int | None = None,
) -> RawData:
    """Read a folder of parquet files (or one file, then without a test split).

    Args:
        path: A folder with ``train-*.parquet`` or ``train/*.parquet``, in it, in its ``data`` folder or in that of its one configuration;
            or one parquet file.
        size: Resize to this height and width; None keeps the images' own if they agree.
        reading: Which columns, splits and classes; what is done about broken images.
        order: Names of test splits, those that are preferred first.
        channels: 1 or 3; None takes 3 if any training image has colour.

    Raises:
        UserError: If there is no such file, no image or label column, or an image cannot be decoded.
    """
    reading = reading or Reading()
    if path.is_file():
        return table.read(Files([path]), None, size, reading, channels)
    parts = _parts(path)
    train, test = splits.choose(list(parts), reading, f"parquet:{path}", order)
    return table.read(Files(parts[train]), Files(parts[test]) if test else None, size, reading, channels)


def preferred(path: Path, column: str | None) -> str | None:
    """A column by its name, if the files in a folder have it; otherwise None, which leaves the choice to `read`."""
    return column if column and any(column in Files(files).schema.names for files in _parts(path).values()) else None


def label_columns(path: Path) -> list[str]:
    """The columns of the files in a folder that may be meant as the classes."""
    return list(dict.fromkeys(name for files in _parts(path).values() for name in table.label_columns(Files(files).schema)))


class Files(table.Table):
    """The files of one split.

    Args:
        files: In order; all with the columns of the first.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self.name = f"parquet:{files[0]}"

    @cached_property
    def schema(self) -> Any:
        """The columns of the first file (see `Table.schema`)."""
        import pyarrow.parquet as pq

        with _reading(self.files[0]):
            return pq.read_schema(self.files[0])

    def batches(self, column: str) -> Iterator[Any]:
        """A column of all files (see `Table.batches`)."""
        import pyarrow.parquet as pq

        for file in self.files:
            with _reading(file), pq.ParquetFile(file) as parquet:
                held = [parquet.metadata.row_group(group) for group in range(parquet.metadata.num_row_groups)]
                each = sum(group.total_byte_size for group in held) // max(1, parquet.metadata.num_rows)
                rows = max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, each)))
                for batch in parquet.iter_batches(batch_size=rows, columns=[column]):
                    if not batch.num_columns:
                        raise UserError(f"parquet:{file}: no column '{column}', which the first file of the split has")
                    yield batch.column(0)

    @cached_property
    def _rows(self) -> list[str]:
        return [f"row {row} of {file}" for file in self.files for row in range(_count(file))]

    def rows(self) -> list[str]:
        """Numbers in files (see `Table.rows`)."""
        return self._rows

    def identity(self) -> str:
        """The files, their sizes and times (see `Table.identity`)."""
        return repr([(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in self.files])


def _parts(path: Path) -> dict[str, list[Path]]:
    """The files of every split, by its name."""
    if not path.is_dir():
        raise UserError(f"parquet:{path}: no such file or folder; expected a folder with train-*.parquet, as on the Hugging Face hub")
    found = ([file for file in sorted(path.glob(pattern)) if not file.name.startswith(".")] for pattern in DEPTHS)
    files = next((there for there in found if there), [])
    parts: dict[str, list[Path]] = {}
    configurations = set()
    for file in files:
        inside = file.parent != path
        for text, folder in ((SHARD.sub("", file.stem), file.parent), (file.parent.name if inside else "", file.parent.parent)):
            if splits.word_of(text):
                parts.setdefault(text, []).append(file)
                configurations.add(folder)
                break
    if not any(splits.is_train(name) for name in parts):
        present = ", ".join(str(file.relative_to(path)) for file in files[:5]) or "no parquet file"
        raise UserError(f"parquet:{path}: expected files named train-*.parquet, found {present}{instead(path, 'parquet')}")
    if len(configurations) > 1:
        folders = ", ".join(sorted(folder.name for folder in configurations))
        raise UserError(f"parquet:{path} holds several data sets ({folders}); name the folder of one of them")
    for name, shards in parts.items():
        _say_shards(path, name, shards)
    return parts


def _say_shards(path: Path, name: str, files: Sequence[Path]) -> None:
    """Tell of files of a split that are not there, and of files that may be different splits."""
    shards = [match for file in files if (match := SHARD.search(file.stem))]
    counts = [int(match["count"]) for match in shards if match["count"]]
    numbers = sorted(int(match["number"]) for match in shards)
    if counts and max(counts) > len(files):
        note(log.warning, "parquet:%s: %d of %d files of %s are there, and only they are read", path, len(files), max(counts), name)
    elif not counts and numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        named = some([file.name for file in files])
        note(log.warning, "parquet:%s: %s are read as parts of one split; if they are not, name one of the files", path, named)


def _count(file: Path) -> int:
    import pyarrow.parquet as pq

    with _reading(file):
        return int(pq.read_metadata(file).num_rows)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        check_regular(file)
        yield
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"parquet:{file}: cannot be read as parquet ({reason(error)})") from error
