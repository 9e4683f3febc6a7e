"""The grammar of data sets, ``NAME[:PATH][@SIZE]`` with a choice of classes in brackets, used wherever a user names one."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from datastill.data import digits, folder, parquet, published, tinyimagenet
from datastill.data.images import DataSet, channel_statistics, fingerprint
from datastill.data.resize import resized
from datastill.data.storage import MEMORY_BUDGET, RawData, arrange
from datastill.errors import UserError, unknown
from datastill.size import Size

log = logging.getLogger(__name__)

TEST_FRACTION = 0.2
"""Share of every class that becomes the test split of a source without one."""
VALIDATION_FRACTION = 0.1
"""Share of every class of the training split that is held out for choices."""
MOST_CLASSES = 100_000
"""More classes than any data set has: a span in a name is not made longer than this."""

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Source:
    """One entry of the catalogue.

    Attributes:
        summary: One line for `datastill list datasets`.
        read: Reads it, given the path and the size of the grammar.
        path: Whether the name takes a path: "never", "optional" or "always".
        statistics: The mean and standard deviation that published results normalise with; None computes them from the training split.
        flip: Whether a mirrored image keeps its class.
    """

    summary: str
    read: Callable[[Path | None, Size | None], RawData]
    path: str = "never"
    statistics: Statistics | None = None
    flip: bool = True


def _torchvision(name: str) -> Callable[[Path | None, Size | None], RawData]:
    return lambda path, size: published.read(name)


def _at(read: Callable[[Path, Size | None], RawData]) -> Callable[[Path | None, Size | None], RawData]:
    return lambda path, size: read(path or Path(), size)  # `parse` has seen to it that there is a path


CATALOGUE: dict[str, Source] = {
    "digits": Source(
        "8x8 digits embedded in scikit-learn, 1,797 images, 10 classes; no download", lambda path, size: digits.read(), flip=False
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
        statistics=((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ),
    "folder": Source(
        "folder:PATH, one folder of images per class, with train/ and test/ or val/, or neither", _at(folder.read), path="always"
    ),
    "parquet": Source("parquet:PATH, train-*.parquet and test-*.parquet as on the Hugging Face hub", _at(parquet.read), path="always"),
}
"""Every source by its name on the command line."""


def load(name: str = "digits", *, validation: float = VALIDATION_FRACTION, memory_budget: int = MEMORY_BUDGET) -> DataSet:
    """Load a data set by the grammar ``NAME[:PATH][@SIZE]``.

    Args:
        name: A name of `CATALOGUE`, with a path where it takes one, and a size to resize to: ``folder:photos@64``, ``cifar10@16``,
            ``parquet:DIR@64x48`` (height x width). Some classes only by their numbers in brackets at the end: ``cifar100[0-19]``,
            ``cifar10[3,5]``; their images are held out and normalised as in the whole.
        validation: Share of every class of the training split held out for choices, in [0, 0.5]. The held-out images depend on the
            data alone, not on a run's seed.
        memory_budget: Bytes of a split above which it is memory-mapped instead of held in memory.

    Returns:
        The data set with train, validation and test splits.

    Raises:
        UserError: If the name is unknown, its files are missing or damaged, or a class is too small to be split.
    """
    if not 0 <= validation <= 0.5:
        raise UserError(f"validation must be a share from 0 to 0.5, got {validation}")
    whole_name, chosen = choice(name)
    if chosen:
        return load(whole_name, validation=validation, memory_budget=memory_budget).only(chosen)
    key, path, size = parse(name)
    source = CATALOGUE[key]
    raw = source.read(path, size)
    if size:
        raw = replace(raw, train=resized(raw.train, size), test=raw.test and resized(raw.test, size))
    classes = len(raw.class_names)
    if classes < 2:
        raise UserError(f"{name}: one class only ('{raw.class_names[0]}'); at least two are needed")
    whole = arrange(raw.train, classes, budget=memory_budget)
    needed = 1 + (raw.test is None) + (validation > 0)
    small = [(raw.class_names[label], count) for label, count in enumerate(whole.counts) if count < needed]
    if small:
        raise UserError(
            f"{name}: the class '{small[0][0]}' has {small[0][1]} training image(s), but {needed} are needed to hold some out; "
            f"add images or remove the class"
        )
    if raw.test is None:
        log.info("%s has no test split: %d%% of every class is held out as one", name, round(100 * TEST_FRACTION))
        whole, test = whole.split(TEST_FRACTION, "test split")
    else:
        test = arrange(raw.test, classes, budget=memory_budget)
        if absent := [raw.class_names[label] for label, count in enumerate(test.counts) if not count]:
            log.warning("%s: no test image of %d class(es): %s", name, len(absent), ", ".join(absent[:5]))
    train, held_out = whole.split(validation, "validation split")
    mean, std = source.statistics or channel_statistics(train)
    mark = fingerprint(train, raw.class_names)
    return DataSet(name, train, held_out, test, raw.class_names, mean, std, source.flip, mark, validation)


def choice(name: str) -> tuple[str, tuple[int, ...]]:
    """Split the choice of classes off the end of a data set's name; empty if there is none.

    Example:
        >>> choice("cifar100[0-2,7]")
        ('cifar100', (0, 1, 2, 7))
    """
    match = re.fullmatch(r"(?P<whole>.+)\[(?P<spans>\d+(-\d+)?(,\d+(-\d+)?)*)\]", name)
    if match is None:
        return name, ()
    ends = [[int(end) for end in span.split("-")] for span in match["spans"].split(",")]
    if any(span[-1] < span[0] for span in ends) or any(span[-1] >= MOST_CLASSES for span in ends):
        raise UserError(f"'{name}': expected numbers of classes below {MOST_CLASSES} and spans that ascend, as in [0-19] or [3,5]")
    return match["whole"], tuple(label for span in ends for label in range(span[0], span[-1] + 1))


def parse(name: str) -> tuple[str, Path | None, Size | None]:
    """Split a data set's name into the catalogue's key, the path and the size (height, width); a choice of classes is ignored.

    Example:
        >>> parse("folder:/data/my@cats@64")
        ('folder', PosixPath('/data/my@cats'), (64, 64))
        >>> parse("cifar10")
        ('cifar10', None, None)
    """
    match = re.fullmatch(r"(?P<head>.+?)(@(?P<height>\d+)(x(?P<width>\d+))?)?", choice(name)[0])
    if match is None:
        raise UserError(f"'{name}' is not a data set; expected NAME[:PATH][@SIZE], for example digits, cifar10 or folder:photos@64")
    key, _, path = match["head"].partition(":")
    if key not in CATALOGUE:
        hint = "For your own images: folder:PATH or parquet:PATH."
        raise unknown("data set", key, CATALOGUE, hint=hint)
    kind = CATALOGUE[key].path
    if kind == "always" and not path:
        raise UserError(f"'{name}' needs a path, as in {key}:PATH")
    if kind == "never" and path:
        raise UserError(f"the data set '{key}' takes no path, got '{path}'; for your own images use folder:PATH or parquet:PATH")
    size = (int(match["height"]), int(match["width"] or match["height"])) if match["height"] else None
    if size and not 4 <= min(size) <= max(size) <= 1024:
        raise UserError(f"'{name}': the size must be from 4 to 1024 pixels, got {size[0]}x{size[1]}")
    return key, Path(path).expanduser() if path else None, size
