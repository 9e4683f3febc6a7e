"""A user's own images: one folder per class, with or without a test split."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from datastill.data import splits
from datastill.data.class_names import chosen, look, lookalikes, some
from datastill.data.image_files import SUFFIXES
from datastill.data.kind import instead
from datastill.data.listing import Listing
from datastill.data.listing import split as described
from datastill.data.storage import RawData, RawSplit
from datastill.errors import UserError, unknown
from datastill.files import reason
from datastill.logs import logger, note
from datastill.reading import NONE, Reading
from datastill.size import Size
from datastill.text import counted

log = logger(__name__)

JUNK = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found")
"""Folders that programs leave beside images, with previews or nothing in them."""


def read(path: Path, size: Size | None, reading: Reading | None = None) -> RawData:
    """Read ``PATH/CLASS/*.png`` or ``PATH/train/CLASS/*`` with ``PATH/test`` or ``PATH/val``.

    Images may lie in folders inside a class folder, and folders may be links. Hidden files and folders, and files with another ending,
    are left out.

    Args:
        path: The folder.
        size: Resize to this height and width; None keeps the images' own if they agree.
        reading: Which folders are the splits, which classes, what is done about broken images.

    Raises:
        UserError: If the folder is missing, unreadable, empty or holds a file that is not an image.
    """
    reading = reading or Reading()
    if not os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises inside an unreadable folder)
        is_file = os.path.isfile(path)  # noqa: PTH113 (as above)
        found = f"that is a file{instead(path, 'folder')}" if is_file else "no such folder"
        raise UserError(f"folder:{path}: {found}; expected a folder with one folder of images per class")
    train, test = _splits(path, reading)
    folders = {folder.name: folder for folder in _folders(train)}
    if not folders:
        raise UserError(
            f"folder:{path}: {train} holds no class folders; expected one folder of images per class, for example {train}/cat/1.png"
            f"{instead(path, 'folder')}"
        )
    _check_depth(path, train, list(folders.values()))
    lookalikes(folders, f"folder:{path}")
    classes = chosen(reading.classes, tuple(folders), f"folder:{path}")
    walk = Walk(train)
    train_files = [walk.images(folders[name]) for name in classes]
    empty = [name for name, files in zip(classes, train_files, strict=True) if not files]
    if empty:
        raise UserError(
            f"folder:{path}: no image in the class folder{'s' * (len(empty) > 1)} {', '.join(empty)}; add images ({', '.join(SUFFIXES)}), "
            f"remove the folder, or choose other `classes`{instead(path, 'folder')}"
        )
    walk.say([folder for folder in folders.values() if folder.name not in classes])
    test_files = _test_files(path, train, test, classes, bool(reading.classes)) if test else []
    raw = split(train_files, size, str(train), reading=reading)
    return RawData(classes, raw, split(test_files, raw.size, str(test), raw.channels, reading) if test else None)


def split(
    files: Sequence[Sequence[Path]], size: Size | None, name: str, channels: int | None = None, reading: Reading | None = None
) -> RawSplit:
    """Describe a split whose files are listed class by class.

    Args:
        files: The image files of every class.
        size: Resize to this; None keeps a common size.
        name: What to call the split in messages.
        channels: 1 or 3; None takes 3 if any image has colour.
        reading: What is done about broken images, depth and transparency.
    """
    paths = [path for group in files for path in group]
    labels = np.repeat(np.arange(len(files)), [len(group) for group in files])
    return described(Listing(name, [str(path) for path in paths], labels, lambda: paths, _identity), size, channels, reading or Reading())


class Walk:
    """Finds the images below the class folders of a split, and remembers where it was.

    Args:
        root: The folder of the split.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.seen: dict[str, Path] = {os.path.realpath(root): root}
        self.left_out: Counter[str] = Counter()

    def images(self, path: Path) -> list[Path]:
        """The images of a class, in order.

        Raises:
            UserError: If a folder cannot be read, or a link leads to one that is already read.
        """

        def fail(error: OSError) -> None:
            raise _unreadable(error, Path(error.filename or path)) from error

        found = []
        for folder, folders, files in os.walk(path, onerror=fail, followlinks=True):
            self._enter(Path(folder))
            folders[:] = [name for name in folders if not _hidden(name)]
            for name in files:
                if not name.startswith("."):
                    suffix = Path(name).suffix.lower()
                    if suffix in SUFFIXES:
                        found.append(Path(folder, name))
                    else:
                        self.left_out[suffix or "no ending"] += 1
        return sorted(found)

    def say(self, unread: Sequence[Path]) -> None:
        """Tell of files that were left out.

        Args:
            unread: Class folders that were not chosen.
        """
        loose = [entry for entry in self.root.iterdir() if entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".")]
        if loose:
            note(
                log.warning,
                "folder:%s: leaving out %s in no class folder, such as %s",
                self.root,
                counted(len(loose), "image"),
                loose[0].name,
            )
        if self.left_out:
            kinds = some([f"{suffix} ({times})" for suffix, times in sorted(self.left_out.items(), key=lambda kind: (-kind[1], kind[0]))])
            note(
                log.warning,
                "folder:%s: leaving out %s without an ending of images: %s",
                self.root,
                counted(self.left_out.total(), "file"),
                kinds,
            )
        if unread:
            note(log.info, "folder:%s: leaving out %s", self.root, counted(len(unread), "other class folder"))

    def _enter(self, folder: Path) -> None:
        place = os.path.realpath(folder)
        if place in self.seen:
            raise UserError(
                f"folder:{self.root}: {folder} leads to {self.seen[place]}, which is already read, so its images would count twice: "
                f"remove the link"
            )
        self.seen[place] = folder


def _identity(names: Sequence[str]) -> str:
    paths = [Path(name) for name in names]
    return repr([(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths])


def _splits(path: Path, reading: Reading) -> tuple[Path, Path | None]:
    """Find the folders of the training and the test split; a class may be called "train" or "test" where its folder holds images."""
    folders = {folder.name: folder for folder in _folders(path)}
    wanted = {"train_split": reading.train_split, "test_split": reading.test_split}
    asked = {argument: name for argument, name in wanted.items() if name and name.lower() != NONE}
    for argument, name in asked.items():
        if name not in folders:
            raise unknown(f"`{argument}` of folder:{path}:", name, folders)
    named = [name for name in folders if name.lower() in (*splits.TRAIN_NAMES, *splits.TEST_NAMES) and _is_part(folders[name])]
    trains = [name for name in named if name.lower() in splits.TRAIN_NAMES]
    if not trains and (alike := _words(folders)):
        named, trains = alike, [name for name in alike if splits.is_train(name)]
    if not trains and not asked:
        if named:
            raise UserError(
                f"folder:{path}: {named[0]}/ has no train/ beside it; move the class folders of the training images into {path}/train, "
                f"or name their folder with `train_split`"
            )
        _say_alike(path, folders)
        return path, None
    trains = [reading.train_split] if reading.train_split else trains
    classes = {name for train in trains for name in _names(folders[train])}
    others = [name for name in folders if name not in named and not classes.isdisjoint(_names(folders[name]))]
    parts = [name for name in folders if name in (*asked.values(), *named, *others)]
    train, test = splits.choose(parts, reading, f"folder:{path}")
    unread = [name for name, folder in folders.items() if name not in parts and _holds_image(folder)]
    if unread:
        note(log.warning, "folder:%s: %s is distilled; the images in %s are not read", path, train, ", ".join(unread))
    return folders[train], folders[test] if test else None


def _is_part(folder: Path) -> bool:
    """Whether a folder holds class folders, or nothing, rather than the images of a class."""
    return bool(_folders(folder)) or not _holds_image(folder)


def _words(folders: Mapping[str, Path]) -> list[str]:
    """Folders such as train2017 and val2017, if they hold class folders of the same names; none otherwise."""
    found = [name for name in folders if splits.word_of(name) and _is_part(folders[name])]
    names = [set(_names(folders[name])) for name in found]
    trains = [name for name in found if splits.is_train(name)]
    return found if trains and len(found) > len(trains) and len(set.intersection(*names)) > 1 else []


def _say_alike(path: Path, folders: Mapping[str, Path]) -> None:
    """Tell of class folders that may be splits."""
    names = [set(_names(folder)) for folder in folders.values()]
    if len(names) > 1 and len(shared := set.intersection(*names)) > 1:
        first, second, *_ = folders
        note(
            log.warning, "folder:%s: %s are read as classes, although all of them hold folders called %s; if they are splits, say so with "
            "`train_split=%s` and `test_split=%s`", path, some(list(folders)), some(sorted(shared)), first, second,
        )  # fmt: skip


def _check_depth(path: Path, train: Path, folders: Sequence[Path]) -> None:
    """Refuse a folder that holds nothing but the folder of class folders, however deep it lies."""
    inner, visited = list(folders), set[str]()
    while len(inner) == 1 and not _holds_loose_image(folder := inner[0]) and (place := os.path.realpath(folder)) not in visited:
        visited.add(place)
        inner = _folders(folder)
    if visited and len(inner) > 1:
        advice = f"did you mean folder:{folder}?" if train == path else f"move the class folders up into {train}"
        raise UserError(
            f"folder:{path}: {train} holds one folder only, {folder.relative_to(train)}/, which holds {len(inner)}: "
            f"{some([each.name for each in inner])}; {advice}"
        )


def _holds_loose_image(folder: Path) -> bool:
    return any(entry.suffix.lower() in SUFFIXES for entry in folder.iterdir())


def _test_files(path: Path, train: Path, test: Path, classes: Sequence[str], choice: bool) -> list[list[Path]]:
    folders = {look(folder.name): folder for folder in _folders(test)}
    known = {look(name) for name in classes}
    strangers = [folder.name for name, folder in folders.items() if name not in known]
    if strangers and not choice:
        raise UserError(
            f"folder:{path}: {test} has classes that {train} lacks: {some(strangers)}; choose the `classes` that both have, or remove them"
        )
    lookalikes([folder.name for folder in _folders(test)], f"folder:{test}")
    walk = Walk(test)
    found = [walk.images(folders[look(name)]) if look(name) in folders else [] for name in classes]
    if not any(found):
        raise UserError(
            f"folder:{path}: {test} holds no image; fill it, or hold out a part of the training images with `test_split={NONE}`"
        )
    walk.say([])
    return found


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if entry.is_dir() and not _hidden(entry.name))
    except OSError as error:
        raise _unreadable(error, path) from error


def _names(path: Path) -> list[str]:
    return [folder.name for folder in _folders(path)]


def _holds_image(path: Path) -> bool:
    return any(
        Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
        for _, _, files in os.walk(path, followlinks=False)
        for name in files
    )


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in JUNK


def _unreadable(error: OSError, path: Path) -> UserError:
    return UserError(f"the folder {path} cannot be read ({reason(error)}); check its permissions")
