"""Small image files and parquet files made by hand."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image


def pixels(seed: int, height: int = 8, width: int = 8, channels: int = 3) -> NDArray[np.uint8]:
    """Random ``height width channel`` values, or ``height width`` for one channel."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_image(path: Path, array: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def write_classes(root: Path, counts: dict[str, int], *, first_seed: int = 0, channels: int = 3, suffix: str = ".png") -> None:
    """Write ``root/CLASS/NUMBER.png``, every image another."""
    seed = first_seed
    for name, count in counts.items():
        for number in range(count):
            write_image(root / name / f"{number}{suffix}", pixels(seed, channels=channels))
            seed += 1


def encoded(array: NDArray[Any], format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, format)
    return file.getvalue()


def write_parquet(
    path: Path,
    images: Sequence[bytes | None],
    labels: Sequence[object],
    *,
    names: Sequence[str] | None = None,
    label: str = "label",
    extra: dict[str, list[object]] | None = None,
) -> Path:
    """Write the hub layout: a struct of bytes and path, a label column, class names in the metadata."""
    column = pa.array([{"bytes": image, "path": None} for image in images], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    table = pa.table({"image": column, label: pa.array(labels), **(extra or {})})
    if names is not None:
        features = {"image": {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path
