"""What the Hugging Face hub and its library `datasets` read of a distilled folder: an 8-bit parquet, described by the dataset card."""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datastill.data.image_folder import png
from datastill.distilled.set import SyntheticImages
from datastill.files import write_atomic
from datastill.labels import HARD

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = re.compile(r"train-00000-of-00001(-[0-9a-f]{16})?\.parquet")
"""Names that parquet files of sets have or had."""


@dataclass(frozen=True)
class Parquet:
    """A parquet file that was written, as its card describes it.

    Attributes:
        path: Below the set's folder.
        rows: Images in it.
        bytes: Its size.
        unpacked: The size of its columns in memory.
    """

    path: str
    rows: int
    bytes: int
    unpacked: int


def table(distilled: SyntheticImages) -> pa.Table:
    """Images as 8-bit PNGs with labels and class names, as `datasets` reads them.

    Where labels are soft, ``label`` is the class with the largest value, and ``soft_label`` has the value of every class.
    """
    import pyarrow as pa

    images = [{"bytes": png(distilled.pixels[row]), "path": f"{row:05d}.png"} for row in range(len(distilled.images))]
    names = class_labels(distilled.origin.class_names)
    features: dict[str, Any] = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    columns: dict[str, Any] = {"image": images, "label": distilled.hard_labels.tolist()}
    types = [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())]
    if distilled.track != HARD:
        features["soft_label"] = {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}
        columns["soft_label"] = distilled.labels.tolist()
        types.append(("soft_label", pa.list_(pa.float32())))
    return pa.table(columns, schema=pa.schema(types, metadata={"huggingface": json.dumps({"info": {"features": features}})}))


def write_parquet(distilled: SyntheticImages, folder: Path) -> Parquet:
    """Write the `table` below a folder, under a name that depends on its content.

    `datasets` caches a local set by the name of its folder and by what the card says, not by its content. As the card names this file, and
    the file's name changes with the content, no set is taken for another.
    """
    import pyarrow.parquet as pq

    rows = table(distilled)
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    content = buffer.getvalue()
    path = f"data/train-00000-of-00001-{hashlib.blake2b(content, digest_size=8).hexdigest()}.parquet"
    write_atomic(folder / path, content)
    return Parquet(path, len(rows), len(content), rows.nbytes)


def remove_others(parquet: Parquet, folder: Path) -> None:
    """Remove the parquet files of sets that were in the folder before."""
    mine = folder / parquet.path
    for path in mine.parent.iterdir():
        if PARQUET.fullmatch(path.name) and path != mine:
            path.unlink(missing_ok=True)


def class_labels(class_names: tuple[str, ...]) -> list[str]:
    r"""The names of the classes as a table holds them: in Unicode, and distinct.

    Example:
        >>> class_labels(("cat", "dog")), class_labels(("cat", "cat", "d\udce9"))
        (['cat', 'dog'], ['0_cat', '1_cat', '2_d\\udce9'])
    """
    names = [name.encode(errors="backslashreplace").decode() for name in class_names]
    return names if len(set(names)) == len(names) else [f"{label}_{name}" for label, name in enumerate(names)]
