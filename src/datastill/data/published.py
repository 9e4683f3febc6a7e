"""MNIST, FashionMNIST, SVHN and CIFAR through torchvision, downloaded on demand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datastill.data import parquet
from datastill.data.storage import RawData, RawSplit, cache_folder
from datastill.errors import UserError

DIGITS = tuple(str(digit) for digit in range(10))


def read(name: str) -> RawData:
    """Find a published data set under ``DATASTILL_DATA`` or in the cache, or download it into the cache with progress.

    Under ``DATASTILL_DATA`` a folder of its name with parquet files in the hub layout is taken first, then torchvision's own layout in
    that folder or beside it.

    Args:
        name: ``mnist``, ``fashion-mnist``, ``svhn``, ``cifar10`` or ``cifar100``.

    Raises:
        UserError: If it is neither found nor can be downloaded.
    """
    local = os.environ.get("DATASTILL_DATA")
    if local:
        folder = Path(local) / name
        if any(folder.glob("**/*.parquet")):
            return parquet.read(folder, None)
        for root in (folder, Path(local)):
            try:
                return _through_torchvision(name, root, download=False)
            except RuntimeError:
                continue
    root = cache_folder() / "data" / name
    root.mkdir(parents=True, exist_ok=True)
    try:
        return _through_torchvision(name, root, download=True)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"the data set '{name}' is neither under DATASTILL_DATA ({local or 'not set'}) nor in {root}, and cannot be downloaded "
            f"({reason}); put its files there, or set DATASTILL_DATA to the folder that holds {name}/"
        ) from error


def _through_torchvision(name: str, root: Path, *, download: bool) -> RawData:
    from torchvision import datasets

    class_names: Callable[[Any], tuple[str, ...]] = lambda split: tuple(getattr(split, "classes", DIGITS))  # noqa: E731
    if name == "svhn":
        train, test = (datasets.SVHN(str(root), split=split, download=download) for split in ("train", "test"))
    else:
        kind = {
            "mnist": datasets.MNIST,
            "fashion-mnist": datasets.FashionMNIST,
            "cifar10": datasets.CIFAR10,
            "cifar100": datasets.CIFAR100,
        }[name]
        train, test = (kind(str(root), train=split, download=download) for split in (True, False))
    return RawData(class_names(train), _split(train, name), _split(test, name))


def _split(split: Any, name: str) -> RawSplit:
    pixels = np.asarray(split.data)
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif name != "svhn":
        pixels = pixels.transpose(0, 3, 1, 2)
    labels = np.asarray(split.labels if name == "svhn" else split.targets).astype(np.int64)

    def blocks() -> Iterator[NDArray[np.uint8]]:
        yield pixels

    return RawSplit(labels, pixels.shape[1], pixels.shape[2:], blocks, f"{name} {len(labels)}")
