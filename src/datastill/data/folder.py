"""A user's own images: one folder per class, with or without a test split."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from datastill.data.decode import decode_blocks, headers, target
from datastill.data.storage import RawData, RawSplit
from datastill.errors import UserError
from datastill.files import reason
from datastill.size import Size

log = logging.getLogger(__name__)

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
TEST_NAMES = ("test", "val", "validation", "valid")


def read(path: Path, size: Size | None) -> RawData:
    """Read ``PATH/CLASS/*.png`` or ``PATH/train/CLASS/*`` with ``PATH/test`` or ``PATH/val``.

    Images may lie in folders inside a class folder. Hidden files and folders, and files with another ending, are left out.

    Args:
        path: The folder.
        size: Resize to this height and width; None keeps the images' own if they agree.

    Raises:
        UserError: If the folder is missing, unreadable, empty or holds a file that is not an image.
    """
    if not os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises inside an unreadable folder)
        raise UserError(f"folder:{path}: no such folder; expected a folder with one folder of images per class")
    train, test = _splits(path)
    class_folders = _folders(train)
    classes = tuple(folder.name for folder in class_folders)
    if not classes:
        raise UserError(
            f"folder:{path}: {train} holds no class folders; expected one folder of images per class, for example {train}/cat/1.png"
        )
    train_files = [_images(folder) for folder in class_folders]
    empty = [name for name, files in zip(classes, train_files, strict=True) if not files]
    if empty:
        raise UserError(
            f"folder:{path}: no image in the class folder(s) {', '.join(empty)}; add images ({', '.join(SUFFIXES)}) or remove the folder"
        )
    test_files = _test_files(path, train, test, classes) if test else []
    raw = split(train_files, size, str(train))
    return RawData(classes, raw, split(test_files, raw.size, str(test), raw.channels) if test else None)


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
    names = [str(path) for path in paths]
    headings = headers(paths, names)
    channels = channels or max(heading.channels for heading in headings)
    goal = target(headings, size, name)
    identity = repr([(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths])
    return RawSplit(labels, channels, goal, partial(decode_blocks, paths, names, headings, channels, goal), identity)


def _splits(path: Path) -> tuple[Path, Path | None]:
    """Find the folders of the training and the test split; a class may be called "train" or "test" where its folder holds images."""
    named = [folder for folder in _folders(path) if folder.name.lower() in ("train", *TEST_NAMES)]
    inside = {folder.name.lower(): folder for folder in named if _folders(folder) or not _images(folder)}
    tests = [inside[name] for name in TEST_NAMES if name in inside]
    if "train" in inside:
        if len(tests) > 1:
            unread = ", ".join(test.name for test in tests[1:])
            log.warning("folder:%s: %s is the test split; %s is ignored", path, tests[0].name, unread)
        return inside["train"], tests[0] if tests else None
    if tests:
        raise UserError(
            f"folder:{path}: {tests[0].name}/ without train/ next to it; move the class folders of the training images into {path}/train"
        )
    return path, None


def _test_files(path: Path, train: Path, test: Path, classes: Sequence[str]) -> list[list[Path]]:
    found = {folder.name: _images(folder) for folder in _folders(test)}
    strangers = [name for name in found if name not in classes]
    if strangers:
        raise UserError(f"folder:{path}: {test} has classes that {train} lacks: {', '.join(strangers[:5])}")
    if not any(found.values()):
        raise UserError(f"folder:{path}: {test} holds no image; fill it, or remove it to have a part of the training images held out")
    return [found.get(name, []) for name in classes]


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise _unreadable(error, path) from error


def _images(path: Path) -> list[Path]:
    def fail(error: OSError) -> None:
        raise _unreadable(error, Path(error.filename or path)) from error

    found = []
    for folder, folders, files in os.walk(path, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name) for name in files if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")]
    return sorted(found)


def _unreadable(error: OSError, path: Path) -> UserError:
    return UserError(f"the folder {path} cannot be read ({reason(error)}); check its permissions")
