"""What the Hugging Face hub reads of a distilled folder: an 8-bit parquet and a dataset card."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datastill.distilled.set import SyntheticImages
from datastill.files import write_atomic
from datastill.labels import HARD, KINDS


def write_parquet(distilled: SyntheticImages, target: Path) -> None:
    """Write 8-bit PNGs with labels and class names, as `datasets.load_dataset` reads them.

    Where labels are soft, ``label`` is the class with the largest value, and ``soft_label`` has the value of every class.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [{"bytes": png(distilled.pixel_array(row)), "path": f"{row:05d}.png"} for row in range(len(distilled))]
    names = list(distilled.origin.class_names)
    if len(set(names)) < len(names):  # a ClassLabel's names are distinct
        names = [f"{label}_{name}" for label, name in enumerate(names)]
    features: dict[str, Any] = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    columns: dict[str, Any] = {"image": images, "label": distilled.hard_labels.tolist()}
    types = [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())]
    if distilled.track != HARD:
        features["soft_label"] = {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}
        columns["soft_label"] = distilled.labels.tolist()
        types.append(("soft_label", pa.list_(pa.float32())))
    table = pa.table(columns, schema=pa.schema(types, metadata={"huggingface": json.dumps({"info": {"features": features}})}))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    write_atomic(target, buffer.getvalue())


def write_card(distilled: SyntheticImages, target: Path) -> None:
    """Write a dataset card that says what the set is, how it was made and how to use it."""
    origin = distilled.origin
    height, width = distilled.images.shape[2:]
    name = public_name(origin.data)
    parts = f"""
Every image is a grid of {origin.factor}x{origin.factor} parts, and networks are trained on the parts, each enlarged to the whole size:
`distilled.expanded()` gives those {len(distilled) * origin.factor**2} images and their labels.
""" if origin.factor > 1 else ""  # fmt: skip
    learned = "" if distilled.track == HARD else f" ({distilled.label_kind}: {KINDS[distilled.label_kind]})"
    learned += "".join(f" |\n| {key.replace('_', ' ')}, learned | {value:.6g}" for key, value in distilled.numbers.items())
    soft = "" if distilled.track == HARD else "; its `label` is the class with the largest value, its `soft_label` has every value"
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
| labels | {distilled.track}{learned} |
| made by | datastill {origin.version} |

`images.safetensors` is the truth: float images, normalised by (pixel - mean) / std with mean {_numbers(origin.mean)} and
std {_numbers(origin.std)}, and labels. `data/` holds an 8-bit rendering, clipped to what a file can hold,
which `datasets.load_dataset` reads{soft}.
{parts}
```python
from datastill import DistilledSet
distilled = DistilledSet.load("{target.parent.name}")  # distilled.images, distilled.labels
```

![the images, one row per class](grid.png)
"""
    write_atomic(target, card)


def _numbers(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"


def public_name(data: str) -> str:
    """The name of a data set without the folders of its path, which stay private.

    Example:
        >>> public_name("folder:/home/me/photos@64"), public_name("cifar10")
        ('folder:photos@64', 'cifar10')
    """
    source, colon, path = data.partition(":")
    return source + colon + Path(path).name


def png(pixels: NDArray[np.uint8]) -> bytes:
    """An image as the content of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
