"""Distilled sets for other programs: parquet, image folder, the tensor file of the DC code, a picture, a dataset card."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from datastill.artifact import DistilledSet
from datastill.errors import UserError, unknown
from datastill.files import write_atomic

GRID_COLUMNS = 10
"""Images of a class that the picture shows at most."""


def export(distilled: DistilledSet, target: Path | str, format: str) -> Path:
    """Write a distilled set for another program.

    Args:
        distilled: The set.
        target: A folder for "folder" and "parquet", a file for "dc"; must not exist yet.
        format: "folder" for torchvision's ImageFolder (``CLASS/0000.png``, 8 bits), "dc" for the float tensor file
            ``{'data': [[images, labels]]}`` that the published DC and DM evaluators read, "parquet" for the Hugging Face hub.

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
    FORMATS[format](distilled, target)
    return target


def write_folder(distilled: DistilledSet, target: Path) -> None:
    """Write ``CLASS/0000.png`` so that torchvision's ImageFolder reads the same labels: its sorted names keep the classes' order."""
    for label, name in enumerate(folder_names(distilled.origin.class_names)):
        rows = (distilled.labels == label).nonzero().flatten().tolist()
        (target / name).mkdir(parents=True, exist_ok=True)
        for number, row in enumerate(rows):
            write_atomic(target / name / f"{number:04d}.png", _png(_array(distilled, row)))


def folder_names(class_names: tuple[str, ...]) -> list[str]:
    """Folder names that sort like the classes: the names themselves where they do, numbered otherwise.

    Example:
        >>> folder_names(("cat", "dog")), folder_names(("ship", "a/b"))
        (['cat', 'dog'], ['0_ship', '1_a_b'])
    """
    safe = [re.sub(r"[^\w .()-]", "_", name).strip(" .") or "_" for name in class_names]
    if safe == sorted(set(safe)) and safe == list(class_names):
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

    images = [{"bytes": _png(_array(distilled, row)), "path": f"{row:05d}.png"} for row in range(len(distilled))]
    names = list(distilled.origin.class_names)
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
    write_parquet(distilled, target / "data" / "train-00000-of-00001.parquet")
    write_card(distilled, target / "README.md")


def write_grid(distilled: DistilledSet, target: Path, *, columns: int = GRID_COLUMNS) -> None:
    """Write a picture with one row per class, its name at the left, up to so many images of it."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib.figure import Figure

    rows = [(distilled.labels == label).nonzero().flatten()[:columns].tolist() for label in range(len(distilled.origin.class_names))]
    across = max(len(row) for row in rows)
    height, width = distilled.images.shape[2:]
    gap = max(1, height // 16)
    canvas = np.full((len(rows) * (height + gap) - gap, across * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for line, row in enumerate(rows):
        for column, index in enumerate(row):
            pixels = _array(distilled, index)
            tile = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
            top, left = line * (height + gap), column * (width + gap)
            canvas[top : top + height, left : left + width] = tile
    inches = 0.6
    figure = Figure(figsize=(inches * across * width / height + 1.6, inches * len(rows)), dpi=100)
    axes = figure.add_axes((1.5 / figure.get_figwidth(), 0.005, 1 - 1.55 / figure.get_figwidth(), 0.99))
    axes.imshow(canvas, interpolation="nearest", aspect="equal")
    axes.set_yticks([line * (height + gap) + height / 2 for line in range(len(rows))])
    axes.set_yticklabels([name[:20] for name in distilled.origin.class_names], fontsize=9)
    axes.set_xticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomic(target, buffer.getvalue())


def write_card(distilled: DistilledSet, target: Path) -> None:
    """Write a dataset card that says what the set is, how it was made and how to use it."""
    origin = distilled.origin
    height, width = distilled.images.shape[2:]
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
# {origin.data} distilled by {origin.method}

{len(distilled)} synthetic images of {len(origin.class_names)} classes, {width}x{height} pixels, {distilled.images.shape[1]} channel(s).

| | |
|---|---|
| distilled from | {origin.data} (fingerprint {origin.fingerprint}) |
| method | {origin.method} |
| iterations | {origin.iterations} |
| seed | {origin.seed} |
| partition factor | {origin.factor} |
| made by | datastill {origin.version} |

`images.safetensors` is the truth: float images, normalised by (pixel - mean) / std with mean {_numbers(origin.mean)} and std {_numbers(origin.std)},
and labels. `data/` holds an 8-bit rendering, clipped to what a file can hold, which `datasets.load_dataset` reads.

```python
from datastill import DistilledSet
distilled = DistilledSet.load("{target.parent.name}")  # distilled.images, distilled.labels
```

![the images, a class a row](grid.png)
"""
    write_atomic(target, card)


def _numbers(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"


def _array(distilled: DistilledSet, row: int) -> NDArray[np.uint8]:
    pixels = distilled.pixels[row].numpy()
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


FORMATS = {"folder": write_folder, "dc": write_dc, "parquet": _write_hub}
"""Every export format by name."""
