"""Data sets in the layouts of published ones, and a user's images, with one damaged file."""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path
from unittest.mock import patch

import torch

from datastill.data import DataSet, load
from faults.campaign import Campaign, Outcome
from faults.known import cache_at, copied, place
from faults.mutations import damaged
from image_files import write_classes
from published_layouts import IDX, write_mnist, write_tinyimagenet

LISTS = ("wnids.txt", "words.txt", "val/val_annotations.txt")


@cache
def mnist() -> Path:
    """A small MNIST."""
    write_mnist(place() / "published" / "mnist")
    return place() / "published"


@cache
def tinyimagenet() -> Path:
    """A small TinyImageNet."""
    return write_tinyimagenet(place() / "tinyimagenet")


@cache
def images() -> Path:
    """A user's folder of images."""
    write_classes(place() / "images", {"cat": 4, "dog": 4})
    return place() / "images"


def _sound(data: DataSet, size: tuple[int, int]) -> bool:
    """Whether a data set is what its files can say: images of one size with labels of its classes."""
    splits = (data.train, data.validation, data.test)
    whole = all(len(split.rows) == sum(split.counts) and len(split.counts) == data.classes for split in splits)
    pixels = data.train.gather(torch.arange(len(data.train)))
    return whole and data.size == size and pixels.dtype == torch.uint8 and len(pixels) == len(data.train)


def _idx(seed: int, folder: Path) -> Outcome:
    root, chance = copied(mnist(), folder / "published"), random.Random(seed)
    path = root / "mnist" / "MNIST" / "raw" / chance.choice(IDX)
    content = path.read_bytes()
    head = chance.random() < 0.7  # the magic number and the dimensions are few bytes of many
    path.write_bytes(damaged(content[:16], chance, ["flipped", "replaced", "zeroed"]) + content[16:] if head else damaged(content, chance))
    with patch.dict(os.environ, {"DATASTILL_DATA": str(root)}), cache_at(folder):
        data = load("mnist", validation=0)
    return Outcome.READ if _sound(data, (28, 28)) and data.classes == 10 else Outcome.WRONG


def _lists(seed: int, folder: Path) -> Outcome:
    root, chance = copied(tinyimagenet(), folder / "tiny"), random.Random(seed)
    path = root / chance.choice(LISTS)
    content = path.read_bytes()
    if chance.random() < 0.3:
        odd = chance.choice(("x" * 300, "..", "a/b", "\0", "\t", "n01", "\u2028", "\ud800", "n\x1b[2J", "a\tb\tc"))
        path.write_bytes(content + odd.encode(errors="surrogatepass") + b"\n")
    else:
        path.write_bytes(damaged(content, chance))
    return Outcome.READ if _sound(load(f"tinyimagenet:{root}", validation=0), (64, 64)) else Outcome.WRONG


def _images(seed: int, folder: Path) -> Outcome:
    root, chance = copied(images(), folder / "images"), random.Random(seed)
    path = chance.choice(sorted(path for path in root.rglob("*") if path.is_file()))
    path.write_bytes(damaged(path.read_bytes(), chance))
    data = load(f"folder:{root}@8", validation=0)
    return Outcome.READ if _sound(data, (8, 8)) else Outcome.WRONG


CAMPAIGNS = (
    Campaign("mnist", "a file of MNIST has damaged dimensions, labels or pixels", _idx, short=40),
    Campaign("tinyimagenet-lists", "a list of TinyImageNet is damaged, or has odd names", _lists, short=10),
    Campaign("image-files", "an image of a user's folder is damaged as bytes", _images),
)
