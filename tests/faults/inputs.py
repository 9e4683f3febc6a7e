"""Images and tables of a user's own, damaged in every way: a line, or pixels of the right kind."""

from __future__ import annotations

import io
import os
import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image, features

from datastill.data import DataSet, load
from faults.campaign import Campaign, Outcome
from faults.mutations import damaged

KINDS: dict[str, dict[str, object]] = {
    "PNG": {}, "JPEG": {}, "WEBP": {}, "BMP": {}, "GIF": {}, "PPM": {}, "TIFF": {}, "TIFF lzw": {"compression": "tiff_lzw"},
    "TIFF jpeg": {"compression": "jpeg"}, **({"AVIF": {}} if features.check("avif") else {}),
    **({"JPEG2000": {}} if features.check("jpg_2000") else {}),
}  # fmt: skip
"""Formats that are read, and how a file of each is written."""
SIDE = 16
CLASSES = ("cat", "dog")


def pixels(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


@cache
def image(kind: str, seed: int) -> bytes:
    """A good image file."""
    file = io.BytesIO()
    Image.fromarray(pixels(seed)).save(file, kind.partition(" ")[0], **KINDS[kind])
    return file.getvalue()


@cache
def table() -> bytes:
    """A good parquet file."""
    images = [{"bytes": image("PNG", seed), "path": None} for seed in range(8)]
    column = pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    file = io.BytesIO()
    pq.write_table(pa.table({"image": column, "label": [CLASSES[seed % 2] for seed in range(8)]}), file)
    return file.getvalue()


@cache
def saved() -> dict[str, bytes]:
    """The files of a good folder of `save_to_disk`."""
    import datasets

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.parquet").write_bytes(table())
        held = datasets.Dataset.from_parquet(str(Path(folder) / "train.parquet"), cache_dir=folder)
        held.save_to_disk(str(Path(folder) / "saved"))
        return {path.name: path.read_bytes() for path in (Path(folder) / "saved").iterdir()}


def valid(data: DataSet) -> Outcome:
    """What comes back must be pixels in every place, in splits that do not overlap."""
    splits = (data.train, data.validation, data.test)
    rows = torch.cat([split.rows for split in splits[:2]])
    right = all(split.images.dtype == torch.uint8 and split.images.shape[1:] == (3, SIDE, SIDE) for split in splits)
    return Outcome.READ if right and len(set(rows.tolist())) == len(rows) else Outcome.WRONG


def _images(seed: int, folder: Path) -> Outcome:
    chance = random.Random(seed)
    kind = chance.choice(list(KINDS))
    for number in range(8):
        path = folder / CLASSES[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(image(kind, number) if number else damaged(image(kind, 0), chance))
    # A file that is still read may have any size and be gray or not: it is brought to what is asked for, beside coloured ones.
    return valid(load(f"folder:{folder}@{SIDE}", skip_broken=chance.random() < 0.5))


def _parquet(seed: int, folder: Path) -> Outcome:
    (folder / "train.parquet").write_bytes(damaged(table(), random.Random(seed)))
    return valid(load(f"parquet:{folder}@{SIDE}"))


def _saved(seed: int, folder: Path) -> Outcome:
    chance = random.Random(seed)
    files = saved()
    victim = chance.choice(sorted(files))
    for name, content in files.items():
        (folder / name).write_bytes(damaged(content, chance) if name == victim else content)
    return valid(load(f"arrow:{folder}@{SIDE}"))


def _entries(seed: int, folder: Path) -> Outcome:
    """Class folders with pipes, devices, links that lead nowhere, back or elsewhere, and names of all kinds."""
    chance = random.Random(seed)
    for number in range(8):
        path = folder / CLASSES[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(image("PNG", number))
    targets = ("/dev/zero", "/nowhere", folder, ".")
    makers: list[Callable[[Path], object]] = [os.mkfifo, Path.mkdir, Path.touch, lambda path: path.symlink_to(chance.choice(targets))]
    for number in range(3):
        name = chance.choice(("x.png", "x", "x.jp2", "-x.png", "é.png", "\udce9.png", "a\x1bb.png", "train", "test", ".x.png"))
        place = folder / chance.choice(("", *CLASSES))
        chance.choice(makers)(place / f"{number}{name}")
    return valid(load(f"folder:{folder}@{SIDE}", skip_broken=chance.random() < 0.5))


CAMPAIGNS = (
    Campaign("image-bytes", "an image of a user's own is damaged", _images, short=60),
    Campaign("parquet-bytes", "a parquet file of a user's own is damaged", _parquet, short=60),
    Campaign("arrow-bytes", "a folder of save_to_disk is damaged", _saved),
    Campaign("folder-entries", "pipes, devices, links and odd names lie in a folder of images", _entries, short=60),
)
