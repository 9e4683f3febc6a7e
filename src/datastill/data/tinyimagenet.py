"""TinyImageNet in its published layout: 200 classes of 64x64 pixels, validation labels in a text file."""

from __future__ import annotations

import http.client
import os
from collections import Counter
from pathlib import Path

from datastill.data import folder, parquet, splits
from datastill.data.storage import RawData, cache_folder
from datastill.errors import UserError
from datastill.files import locked, new_folder, open_regular, reason
from datastill.reading import Reading
from datastill.size import Size
from datastill.text import escaped

ARCHIVE = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
MD5 = "90528d7ca1a48142e341f4ef8d21d0de"
PUBLISHED_NAME = "tiny-imagenet-200"
LONGEST_NAME = 255
"""Bytes of a file name that file systems take."""


def read(path: Path | None, size: Size | None, reading: Reading | None = None) -> RawData:
    """Read TinyImageNet; the published validation split is the test split, as in every paper of the field.

    Args:
        path: The folder with ``wnids.txt``, ``train/`` and ``val/``, or with parquet files in the hub's layout; None looks under
            ``DATASTILL_DATA`` and in the cache, then downloads.
        size: Resize to this height and width; None keeps 64x64.
        reading: What is done about broken images.

    Raises:
        UserError: If the layout is not the published one.
    """
    reading = reading or Reading()
    root = path or _find()
    if not (root / "wnids.txt").exists() and _has_parquet(root):
        return parquet.read(root, size, reading, order=("validation", "valid", "val", "test"), channels=3)
    identifiers = [file_name(identifier, root / "wnids.txt") for identifier in _lines(root / "wnids.txt")]
    if len(set(identifiers)) < len(identifiers):
        twice = next(identifier for identifier, times in Counter(identifiers).items() if times > 1)
        raise UserError(f"{root / 'wnids.txt'} names the class {twice} twice")
    train_files = [sorted((root / "train" / identifier / "images").glob("*.JPEG")) for identifier in identifiers]
    missing = [identifier for identifier, files in zip(identifiers, train_files, strict=True) if not files]
    if missing:
        raise UserError(f"tinyimagenet:{root}: no images in train/{missing[0]}/images; expected the published layout of {PUBLISHED_NAME}")
    test_files: dict[str, list[Path]] = {identifier: [] for identifier in identifiers}
    for file, identifier in _pairs(root / "val" / "val_annotations.txt"):
        if identifier not in test_files:
            raise UserError(f"tinyimagenet:{root}: val_annotations.txt names the class {identifier}, which wnids.txt lacks")
        test_files[identifier].append(root / "val" / "images" / file_name(file, root / "val" / "val_annotations.txt"))
    train = folder.split(train_files, size, "tinyimagenet", 3, reading)
    test = folder.split(list(test_files.values()), train.size, "tinyimagenet", 3, reading)
    splits.say("tinyimagenet", "train", "val", asked=True)  # that is how it is published
    return RawData(_class_names(root, identifiers), train, test)


def _class_names(root: Path, identifiers: list[str]) -> tuple[str, ...]:
    words = dict(_pairs(root / "words.txt")) if (root / "words.txt").exists() else {}
    names = [words.get(identifier, identifier).split(",")[0] for identifier in identifiers]
    shared = {name for name, times in Counter(names).items() if times > 1}
    return tuple(f"{name} ({identifier})" if name in shared else name for name, identifier in zip(names, identifiers, strict=True))


def file_name(text: str, source: Path) -> str:
    """A name in a list, if a file or folder can be called so.

    Args:
        text: The name.
        source: The list, for the message.

    Raises:
        UserError: If it is too long, or leads elsewhere.
    """
    if text in (".", "..") or len(text.encode(errors="surrogatepass")) > LONGEST_NAME or any(letter in "/\\\0" for letter in text):
        raise UserError(f"{source}: {escaped(text[:60])!r} cannot be the name of a file; expected the published layout of {PUBLISHED_NAME}")
    return text


def _pairs(path: Path) -> list[tuple[str, str]]:
    rows = [line.split("\t") for line in _lines(path)]
    short = next((row for row in rows if len(row) < 2), None)
    if short:
        raise UserError(f"{path}: expected two columns separated by a tab, found '{short[0]}'")
    return [(row[0], row[1]) for row in rows]


def _lines(path: Path) -> list[str]:
    try:
        with open_regular(path) as file:
            lines = [line.rstrip() for line in file.read().decode().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({reason(error)}); expected the published layout of {PUBLISHED_NAME}") from error
    if not lines:
        raise UserError(f"{path} is empty; expected the published layout of {PUBLISHED_NAME}")
    return lines


def _has_parquet(root: Path) -> bool:
    return any(next(root.glob(pattern), None) for pattern in parquet.DEPTHS)


def _find() -> Path:
    local = os.environ.get("DATASTILL_DATA")
    cache = cache_folder() / "data"
    roots = [Path(local) / name for name in ("tinyimagenet", PUBLISHED_NAME)] if local else []
    roots.append(cache / PUBLISHED_NAME)
    found = next((root for root in roots if (root / "wnids.txt").exists() or _has_parquet(root)), None)
    if found:
        return found
    from torchvision.datasets.utils import download_and_extract_archive

    goal = cache / PUBLISHED_NAME
    try:
        with locked(goal, "the download of TinyImageNet", wait=True):
            if not goal.exists():  # no other process downloaded it meanwhile
                with new_folder(goal) as built:
                    download_and_extract_archive(ARCHIVE, str(cache), str(built.parent), md5=MD5, remove_finished=True)
    except (UserError, OSError, RuntimeError, http.client.HTTPException) as error:
        raise UserError(
            f"TinyImageNet is neither under DATASTILL_DATA ({local or 'not set'}) nor in {cache}, and cannot be downloaded "
            f"({reason(error)}); name its folder as tinyimagenet:PATH"
        ) from error
    return goal
