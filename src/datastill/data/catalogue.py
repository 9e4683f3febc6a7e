"""The grammar of data sets, ``NAME[:PATH][@SIZE]`` with choices in braces and classes in brackets, used wherever a user names one."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datastill.data import digits, folder, hub, parquet, published, tinyimagenet
from datastill.data.kind import kind_of
from datastill.data.objects import KIND
from datastill.data.storage import RawData
from datastill.errors import UserError, unknown
from datastill.files import reason
from datastill.logs import logger, note
from datastill.reading import Reading, split_off
from datastill.size import Size

log = logger(__name__)

SMALLEST_SIDE, LARGEST_SIDE = 4, 1024
"""Pixels a side that images may be resized to."""
MOST_CLASSES = 100_000
"""More classes than any data set has: a span in a name is not made longer than this."""
IMAGES = ("train_split", "test_split", "classes", "skip_broken", "bit_depth", "transparency", "flip", "whiten")
"""The choices of `Reading` that images of one's own leave."""
TABLE = ("image_column", "label_column", *IMAGES)
"""The choices that a table of one's own leaves."""

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
Read = Callable[[Path, Size | None, Reading], RawData]


@dataclass(frozen=True)
class Source:
    """One entry of the catalogue.

    Attributes:
        summary: One line for `datastill list datasets`.
        read: Reads it, given the path and the size of the grammar, and the choices.
        path: Whether the name takes a path: "never", "optional" or "always".
        statistics: The mean and standard deviation that published results normalise with; None computes them from the training split.
        flip: Whether a mirrored image keeps its class.
        choices: What it leaves to be chosen, of the fields of `Reading`.
    """

    summary: str
    read: Callable[[Path | None, Size | None, Reading], RawData]
    path: str = "never"
    statistics: Statistics | None = None
    flip: bool = True
    choices: tuple[str, ...] = ("classes", "whiten")


def _torchvision(name: str) -> Callable[[Path | None, Size | None, Reading], RawData]:
    return lambda path, size, reading: published.read(name)


def _at(read: Read) -> Callable[[Path | None, Size | None, Reading], RawData]:
    return lambda path, size, reading: read(path or Path(), size, reading)  # `parse` has seen to it that there is a path


CATALOGUE: dict[str, Source] = {
    "digits": Source(
        "8x8 digits, those of scikit-learn, 1,797 images, 10 classes; part of this package",
        lambda path, size, reading: digits.read(),
        flip=False,
    ),
    "mnist": Source("28x28 digits, 70,000 images, 10 classes", _torchvision("mnist"), statistics=((0.1307,), (0.3081,)), flip=False),
    "fashion-mnist": Source("28x28 clothes, 70,000 images, 10 classes", _torchvision("fashion-mnist"), statistics=((0.2861,), (0.3530,))),
    "svhn": Source(
        "32x32 house numbers, 99,289 images, 10 classes",
        _torchvision("svhn"),
        statistics=((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)),
        flip=False,
    ),
    "cifar10": Source(
        "32x32 photographs, 60,000 images, 10 classes",
        _torchvision("cifar10"),
        statistics=((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    ),
    "cifar100": Source(
        "32x32 photographs, 60,000 images, 100 classes",
        _torchvision("cifar100"),
        statistics=((0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762)),
    ),
    "tinyimagenet": Source(
        "64x64 photographs, 110,000 images, 200 classes; tinyimagenet:PATH for a folder of your own",
        tinyimagenet.read,
        path="optional",
        choices=("classes", "skip_broken", "whiten"),
        statistics=((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ),
    "folder": Source(
        "folder:PATH, one folder of images per class, with train/ and test/ or val/, or neither",
        _at(folder.read),
        path="always",
        choices=IMAGES,
    ),
    "parquet": Source(
        "parquet:PATH, train-*.parquet and test-*.parquet as on the Hugging Face hub", _at(parquet.read), path="always", choices=TABLE
    ),
    "arrow": Source("arrow:PATH, what save_to_disk of the package datasets wrote", _at(hub.read_arrow), path="always", choices=TABLE),
    "hub": Source(
        "hub:OWNER/NAME or hub:OWNER/NAME/CONFIGURATION, from the Hugging Face hub or the cache of datasets",
        _at(hub.read_hub),
        path="always",
        choices=TABLE,
    ),
}
"""Every source by its name on the command line."""


def choice(name: str) -> tuple[str, tuple[int, ...]]:
    """Split the choice of classes off the end of a data set's name; empty if there is none.

    A path that exists is taken whole, even if it ends like a choice, unless it exists without that ending too.

    Example:
        >>> choice("cifar100[0-2,7]")
        ('cifar100', (0, 1, 2, 7))
    """
    match = re.fullmatch(r"(?P<whole>.+)\[(?P<spans>\d{1,99}(-\d{1,99})?(,\d{1,99}(-\d{1,99})?)*)\]", name)
    if match is None or (_is_there(name) and not _is_there(match["whole"])):
        return name, ()
    ends = [[int(end) for end in span.split("-")] for span in match["spans"].split(",")]
    if any(span[-1] < span[0] for span in ends) or any(span[-1] >= MOST_CLASSES for span in ends):
        raise UserError(f"'{name}': expected numbers of classes below {MOST_CLASSES} and spans that ascend, as in [0-19] or [3,5]")
    return match["whole"], tuple(label for span in ends for label in range(span[0], span[-1] + 1))


def completed(name: str, reading: Reading) -> str:
    """The name of a data set with further choices, so that whoever loads it reads it so.

    Example:
        >>> completed("folder:photos@64[0-3]", Reading(test_split="eval"))
        'folder:photos@64{test_split=eval}[0-3]'
    """
    whole = choice(name)[0]
    bare, written = split_off(whole)
    return f"{bare}{written.merged(reading).text()}{name[len(whole) :]}"


def parse(name: str) -> tuple[str, Path | None, Size | None]:
    """Split a data set's name into the catalogue's key, the path and the size (height, width); choices and classes are left out.

    A path that exists is taken whole, even if it ends like a size, unless it exists without that ending too.

    Example:
        >>> parse("folder:/data/my@cats@64")
        ('folder', PosixPath('/data/my@cats'), (64, 64))
        >>> parse("cifar10")
        ('cifar10', None, None)
    """
    match = re.fullmatch(r"(?P<head>.+?)(?P<ending>@(?P<height>\d{1,99})(x(?P<width>\d{1,99}))?)?", split_off(choice(name)[0])[0])
    if match is None:
        raise UserError(f"'{name}' is not a data set; expected NAME[:PATH][@SIZE], for example digits, cifar10 or folder:photos@64")
    key, _, text = match["head"].partition(":")
    if key == KIND:
        raise UserError(f"'{name}' was loaded from objects in a Python program and cannot be found by its name: give it again with `data`")
    if key not in CATALOGUE:
        found = kind_of(match["head"])
        hint = f"For your own images: {found}:{match['head']}." if found else "For your own images: folder:PATH or parquet:PATH."
        raise unknown("data set", key, CATALOGUE, hint=hint)
    kind = CATALOGUE[key].path
    if kind == "always" and not text:
        raise UserError(f"'{name}' needs a path, as in {key}:PATH")
    if kind == "never" and text:
        raise UserError(f"the data set '{key}' takes no path, got '{text}'; for your own images use folder:PATH or parquet:PATH")
    path = _path(text, name) if text else None
    if path and match["ending"] and not path.exists() and (whole := _path(text + match["ending"], name)).exists():
        return key, whole, None
    size = (int(match["height"]), int(match["width"] or match["height"])) if match["height"] else None
    if size and not SMALLEST_SIDE <= min(size) <= max(size) <= LARGEST_SIDE:
        raise UserError(f"'{name}': the size must be from {SMALLEST_SIDE} to {LARGEST_SIDE} pixels, got {size[0]}x{size[1]}")
    return key, path, size


def known_size(name: str) -> Size | None:
    """The size (height, width) that images have as far as their name tells: what they are resized to, or that of the digits.

    Example:
        >>> known_size("cifar10@16"), known_size("digits[0-2]"), known_size("cifar10")
        ((16, 16), (8, 8), None)
    """
    source, _, size = parse(name)
    return size or (digits.read().train.size if source == "digits" else None)


def say_sized(name: str, path: Path | None, size: Size | None) -> None:
    """Tell of a folder whose own name ends as a size does, beside the one that is read.

    Args:
        name: As given to `parse`.
        path: As found by it.
        size: As found by it.
    """
    bare = split_off(choice(name)[0])[0]
    ending = f"@{bare.rpartition('@')[2]}"
    if path and size and os.path.exists(other := f"{path}{ending}"):  # noqa: PTH110 (Path.exists raises where it may not look)
        note(
            log.warning, "%s is %s resized to %dx%d; %s is there too, and read if a size follows its name: %s@%d",
            name, path, *size, other, bare, size[0],
        )  # fmt: skip


def _is_there(name: str) -> bool:
    """Whether what follows the source in a data set's name is a path that exists."""
    text = name.partition(":")[2]
    return bool(text) and os.path.exists(os.path.expanduser(text))  # noqa: PTH110, PTH111 (Path raises where it may not look)


def _path(text: str, name: str) -> Path:
    try:
        path = Path(text).expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            path.stat()
        return path
    except (OSError, ValueError) as error:
        raise UserError(f"'{name[:80]}': that cannot be a path ({reason(error)})") from error
    except RuntimeError as error:
        raise UserError(f"'{name}': the home folder of that user is not known; write the path without ~") from error
