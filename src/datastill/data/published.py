"""MNIST, FashionMNIST, SVHN and CIFAR through torchvision, downloaded on demand."""

from __future__ import annotations

import http.client
import importlib.util
import os
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datastill.data import parquet, splits
from datastill.data.class_names import some
from datastill.data.storage import RawData, RawSplit, cache_folder
from datastill.errors import UserError
from datastill.files import locked, make_folder, reason
from datastill.logs import logger, note
from datastill.reading import Reading

log = logger(__name__)

DIGITS = tuple(str(digit) for digit in range(10))
HUB_FOLDERS = {"svhn": "cropped_digits"}
"""Where a data set has several configurations on the hub, the folder of the one that is meant."""
LABEL_COLUMNS = {"cifar100": "fine_label"}
"""The column of the classes, where the hub's files have others too."""
SHAPES = {"mnist": (1, 28, 28), "fashion-mnist": (1, 28, 28), "svhn": (3, 32, 32), "cifar10": (3, 32, 32), "cifar100": (3, 32, 32)}
"""Channels, height and width of the images."""
DAMAGE = (OSError, RuntimeError, ValueError, AssertionError, EOFError, LookupError, TypeError, pickle.UnpicklingError, zlib.error)
"""What torchvision and scipy raise on damaged files."""


def read(name: str) -> RawData:
    """Find a published data set under ``DATASTILL_DATA`` or in the cache, or download it into the cache with progress.

    Under ``DATASTILL_DATA`` a folder of its name with parquet files in the hub layout is taken first, then torchvision's own layout in
    that folder or beside it.

    Args:
        name: ``mnist``, ``fashion-mnist``, ``svhn``, ``cifar10`` or ``cifar100``.

    Raises:
        UserError: If it is neither found nor can be downloaded, or its files are damaged.
    """
    local = os.environ.get("DATASTILL_DATA")
    if local:
        folder = Path(local) / name
        hub = folder / HUB_FOLDERS.get(name, ".")
        hub = hub if hub.is_dir() else folder
        if any(hub.glob("**/*.parquet")):
            return _through_parquet(name, hub)
    cache = cache_folder() / "data" / name
    for root in (*((Path(local) / name, Path(local)) if local else ()), cache):
        found = _through_torchvision(name, root)
        if found:
            return found
    if name == "svhn" and importlib.util.find_spec("scipy") is None:
        raise _no_scipy(name)
    try:
        with locked(cache, f"the download of {name}", wait=True):
            make_folder(cache)
            return _load(name, cache, download=True)  # what another process downloaded meanwhile is found
    except (*DAMAGE, http.client.HTTPException) as error:
        raise UserError(
            f"the data set '{name}' is neither under DATASTILL_DATA ({local or 'not set'}) nor in {cache}, and cannot be downloaded "
            f"({reason(error).rstrip(':')}); put its files there, or set DATASTILL_DATA to the folder that holds {name}/"
        ) from error


def _through_parquet(name: str, folder: Path) -> RawData:
    """Read the hub's files, and tell of other classes that they have."""
    column = parquet.preferred(folder, LABEL_COLUMNS.get(name))
    if column and (others := [other for other in parquet.label_columns(folder) if other != column]):
        note(
            log.info, "%s: the column %s is read, not %s; parquet:%s with `label_column=%s` reads another",
            name, column, some(others), folder, others[0],
        )  # fmt: skip
    return parquet.read(folder, None, Reading(label_column=column))


def _through_torchvision(name: str, root: Path) -> RawData | None:
    try:
        return _load(name, root, download=False)
    except ModuleNotFoundError as error:
        raise _no_scipy(name) from error
    except DAMAGE as error:
        if isinstance(error, RuntimeError) and "not found" in str(error):
            return None
        raise UserError(f"the files of the data set '{name}' in {root} are damaged ({reason(error)}); remove them and repeat") from error


def _load(name: str, root: Path, *, download: bool) -> RawData:
    from torchvision import datasets

    kinds = {
        "mnist": datasets.MNIST,
        "fashion-mnist": datasets.FashionMNIST,
        "svhn": datasets.SVHN,
        "cifar10": datasets.CIFAR10,
        "cifar100": datasets.CIFAR100,
    }
    choices: list[dict[str, Any]] = [{"split": "train"}, {"split": "test"}] if name == "svhn" else [{"train": True}, {"train": False}]
    train, test = (kinds[name](str(root), **choice, download=download) for choice in choices)
    names = tuple(getattr(train, "classes", DIGITS))
    splits.say(name, "train", "test")
    return RawData(names, _split(train, name, root, len(names)), _split(test, name, root, len(names)))


def _no_scipy(name: str) -> UserError:
    return UserError(
        f"the published files of '{name}' are MATLAB's and need scipy: pip install 'datastill[svhn]', or put the hub's parquet files into "
        f"DATASTILL_DATA/{name}"
    )


def _split(split: Any, name: str, root: Path, classes: int) -> RawSplit:
    """A split, if its files say what those of the data set must.

    Raises:
        ValueError: If there are other pixels, or labels that do not belong to them.
    """
    pixels = np.asarray(split.data)
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif name != "svhn":
        pixels = pixels.transpose(0, 3, 1, 2)
    labels = np.asarray(split.labels if name == "svhn" else split.targets).astype(np.int64)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != SHAPES[name] or not len(pixels):
        raise ValueError(f"expected 8-bit images {SHAPES[name]}, got {pixels.dtype} {pixels.shape}")
    if labels.shape != (len(pixels),):
        raise ValueError(f"expected a label for each of {len(pixels)} images, got {labels.shape}")
    if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"expected labels from 0 to {classes - 1}, got {int(labels.min())} to {int(labels.max())}")

    def blocks() -> Iterator[NDArray[np.uint8]]:
        yield pixels

    return RawSplit(labels, pixels.shape[1], pixels.shape[2:], blocks, f"{name} {len(labels)} {root.resolve()}")
