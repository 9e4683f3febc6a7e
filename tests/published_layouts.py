"""Small data sets in the layouts of published ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""The files of MNIST."""


def idx(array: NDArray[np.uint8]) -> bytes:
    """An array as MNIST stores it: a magic number, the dimensions, the bytes."""
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def write_mnist(root: Path) -> Path:
    """Thirty training images and twenty test images; gives the folder of the four files."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name, count in (("train", 30), ("t10k", 20)):
        (raw / f"{name}-images-idx3-ubyte").write_bytes(idx(generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(idx((np.arange(count) % 10).astype(np.uint8)))
    return raw


def write_tinyimagenet(root: Path, identifiers: tuple[str, ...] = ("n01", "n02", "n03")) -> Path:
    """Four training images and a validation image of every class."""
    generator = np.random.default_rng(0)
    (root / "val" / "images").mkdir(parents=True)
    annotations = []
    for identifier in identifiers:
        (root / "train" / identifier / "images").mkdir(parents=True)
        for number in range(5):
            pixels = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            folder = root / "val" / "images" if number == 4 else root / "train" / identifier / "images"
            Image.fromarray(pixels).save(folder / f"{identifier}_{number}.JPEG")
        annotations.append(f"{identifier}_4.JPEG\t{identifier}\t0\t0\t62\t62\n")
    (root / "wnids.txt").write_text("".join(f"{identifier}\n" for identifier in identifiers))
    (root / "words.txt").write_text("".join(f"{identifier}\tthing {label}\n" for label, identifier in enumerate(identifiers)))
    (root / "val" / "val_annotations.txt").write_text("".join(annotations))
    return root
