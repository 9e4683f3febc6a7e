"""A user's own images: one folder per class, with or without a test split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datastill.data.decode import Header, decode, headers, target
from datastill.data.storage import RawData, RawSplit
from datastill.errors import UserError
from datastill.networks.network import Size

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
TEST_NAMES = ("test", "val", "validation", "valid")


def read(path: Path, size: Size | None) -> RawData:
    """Read ``PATH/CLASS/*.png`` or ``PATH/train/CLASS/*`` with ``PATH/test`` or ``PATH/val``.

    Args:
        path: The folder.
        size: Resize to this height and width; None keeps the images' own if they agree.

    Raises:
        UserError: If the folder is missing, unreadable, empty or holds a file that is no image.
    """
    if not path.is_dir():
        raise UserError(f"folder:{path}: no such folder; expected a folder with one folder of images per class")
    train = path / "train" if (path / "train").is_dir() else path
    test = next((path / name for name in TEST_NAMES if (path / name).is_dir()), None) if train != path else None
    classes = tuple(sorted(folder.name for folder in _listed(train) if folder.is_dir() and not folder.name.startswith(".")))
    if not classes:
        raise UserError(f"folder:{path}: {train} holds no class folders; expected one folder of images per class, for example {train}/cat/1.png")
    train_files = [_images(train / name) for name in classes]
    empty = [name for name, files in zip(classes, train_files, strict=True) if not files]
    if empty:
        raise UserError(f"folder:{path}: no image in the class folder(s) {', '.join(empty)}; add images ({', '.join(SUFFIXES)}) or remove the folder")
    raw = split(train_files, size, str(train))
    if test is None:
        return RawData(classes, raw, None)
    strangers = sorted(folder.name for folder in _listed(test) if folder.is_dir() and folder.name not in classes)
    if strangers:
        raise UserError(f"folder:{path}: {test} has classes that {train} lacks: {', '.join(strangers[:5])}")
    test_files = [_images(test / name) if (test / name).is_dir() else [] for name in classes]
    if not any(test_files):
        raise UserError(f"folder:{path}: {test} holds no image; fill it, or remove it to have a part of the training images held out")
    return RawData(classes, raw, split(test_files, raw.size, str(test), raw.channels))


def split(files: Sequence[Sequence[Path]], size: Size | None, name: str, channels: int | None = None) -> RawSplit:
    """Describe a split whose files are listed class by class.

    Args:
        files: The image files of every class.
        size: Resize to this; None keeps a common size.
        name: What to call the split in messages.
        channels: 1 or 3; None takes 3 if any image has colour.
    """
    paths = [path for group in files for path in group]
    labels = np.repeat(np.arange(len(files)), [len(group) for group in files])
    headings = headers(paths, [str(path) for path in paths])
    channels = channels or max(heading.channels for heading in headings)
    goal = target(headings, size, name)
    identity = repr([(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths])
    return RawSplit(labels, channels, goal, partial(_blocks, paths, headings, channels, goal), identity)


def _blocks(paths: list[Path], headings: list[Header], channels: int, size: Size) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(paths), 256):
        yield np.stack([decode(path, str(path), channels, size) for path in paths[start : start + 256]])


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be read ({error.strerror}); check its permissions") from error


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in _listed(folder) if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
