"""Distilled sets for other programs: parquet, image folder, the tensor file of the DC code, a dataset card."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from datastill.artifact import DistilledSet, expanded_set
from datastill.errors import UserError, unknown
from datastill.files import write_atomic

LONGEST_NAME = 50
"""Characters of a class's name that its folder keeps: file systems take 255 bytes."""


def export(distilled: DistilledSet, target: Path | str, format: str) -> Path:
    """Write a distilled set for another program.

    Args:
        distilled: The set.
        target: A folder for "folder" and "parquet", a file for "dc"; must not exist yet.
        format: "folder" for torchvision's ImageFolder (``CLASS/0000.png``, 8 bits), "dc" for the float tensor file
            ``{'data': [[images, labels]]}`` that the published DC and DM evaluators read, "parquet" for the Hugging Face hub. The first two
            go to programs that know nothing of parts: there every part of a partitioned image is an image of its own, enlarged.

    Returns:
        What was written.

    Raises:
        UserError: If the format is unknown or the target exists.
    """
    target = Path(target)
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if target.exists():
        raise UserError(f"{target} exists already; choose another place or remove it first")
    FORMATS[format](distilled if format == "parquet" else expanded_set(distilled), target)
    return target


def write_folder(distilled: DistilledSet, target: Path) -> None:
    """Write ``CLASS/0000.png`` so that torchvision's ImageFolder reads the same labels: its sorted names keep the classes' order.

    Raises:
        UserError: If a class has no image: ImageFolder refuses an empty folder, and without it would number the others anew.
    """
    class_names = distilled.origin.class_names
    if empty := [name for name, rows in zip(class_names, rows_by_class(distilled), strict=True) if not rows]:
        raise UserError(
            f"the set has no image of the class '{empty[0]}', which ImageFolder cannot read; export it with --format dc or parquet"
        )
    for name, rows in zip(folder_names(class_names), rows_by_class(distilled), strict=True):
        for number, row in enumerate(rows):
            write_atomic(target / name / f"{number:04d}.png", _png(pixel_array(distilled, row)))


def folder_names(class_names: tuple[str, ...]) -> list[str]:
    """Folder names that sort like the classes: the names themselves where they do and every file system keeps them, numbered otherwise.

    Example:
        >>> folder_names(("cat", "dog")), folder_names(("ship", "a/b"))
        (['cat', 'dog'], ['0_ship', '1_a_b'])
    """
    safe = [re.sub(r"[^\w .()-]", "_", name)[:LONGEST_NAME].strip(" .") or "_" for name in class_names]
    distinct = len({name.casefold() for name in safe}) == len(safe)
    if distinct and safe == sorted(safe) and safe == list(class_names):
        return safe
    digits = len(str(len(safe) - 1))
    return [f"{label:0{digits}d}_{name}" for label, name in enumerate(safe)]


def write_dc(distilled: DistilledSet, target: Path) -> None:
    """Write the float images and labels as the published DC and DM code saves and evaluates them."""
    buffer = io.BytesIO()
    torch.save({"data": [[distilled.images.clone(), distilled.labels.clone()]]}, buffer)
    write_atomic(target, buffer.getvalue())


def write_parquet(distilled: DistilledSet, target: Path) -> None:
    """Write 8-bit PNGs with labels and class names, as `datasets.load_dataset` reads them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [{"bytes": _png(pixel_array(distilled, row)), "path": f"{row:05d}.png"} for row in range(len(distilled))]
    names = list(distilled.origin.class_names)
    if len(set(names)) < len(names):  # a ClassLabel's names are distinct
        names = [f"{label}_{name}" for label, name in enumerate(names)]
    described = {"info": {"features": {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}}}
    schema = pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())],
        metadata={"huggingface": json.dumps(described)},
    )
    table = pa.table({"image": images, "label": distilled.labels.tolist()}, schema=schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    write_atomic(target, buffer.getvalue())


def _write_hub(distilled: DistilledSet, target: Path) -> None:
    distilled.save(target)  # a distilled folder has the hub's layout, and the card speaks of all of its files


def write_card(distilled: DistilledSet, target: Path) -> None:
    """Write a dataset card that says what the set is, how it was made and how to use it."""
    origin = distilled.origin
    height, width = distilled.images.shape[2:]
    name = public_name(origin.data)
    parts = f"""
Every image is a grid of {origin.factor}x{origin.factor} parts, and networks are trained on the parts, each enlarged to the whole size:
`distilled.expanded()` gives those {len(distilled) * origin.factor**2} images and their labels.
""" if origin.factor > 1 else ""  # fmt: skip
    card = f"""---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
task_categories:
- image-classification
tags:
- dataset-distillation
---
# {name} distilled by {origin.method}

{len(distilled)} synthetic images of {len(origin.class_names)} classes, {width}x{height} pixels, {distilled.images.shape[1]} channel(s).

| | |
|---|---|
| distilled from | {name} (fingerprint {origin.fingerprint}) |
| method | {origin.method} |
| iterations | {origin.iterations} |
| seed | {origin.seed} |
| partition factor | {origin.factor} |
| made by | datastill {origin.version} |

`images.safetensors` is the truth: float images, normalised by (pixel - mean) / std with mean {_numbers(origin.mean)} and
std {_numbers(origin.std)}, and labels. `data/` holds an 8-bit rendering, clipped to what a file can hold,
which `datasets.load_dataset` reads.
{parts}
```python
from datastill import DistilledSet
distilled = DistilledSet.load("{target.parent.name}")  # distilled.images, distilled.labels
```

![the images, a class a row](grid.png)
"""
    write_atomic(target, card)


def _numbers(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"


def public_name(data: str) -> str:
    """The name of a data set without the folders of its path, which are nobody else's business.

    Example:
        >>> public_name("folder:/home/me/photos@64"), public_name("cifar10")
        ('folder:photos@64', 'cifar10')
    """
    source, colon, path = data.partition(":")
    return source + colon + Path(path).name


def rows_by_class(distilled: DistilledSet) -> list[list[int]]:
    """The positions of every class's images."""
    return [(distilled.labels == label).nonzero().flatten().tolist() for label in range(len(distilled.origin.class_names))]


def pixel_array(distilled: DistilledSet, row: int) -> NDArray[np.uint8]:
    """One image as uint8 ``height width`` (1 channel) or ``height width channel``."""
    pixels = distilled.pixels[row].numpy()
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


FORMATS = {"folder": write_folder, "dc": write_dc, "parquet": _write_hub}
"""Every export format by name."""
