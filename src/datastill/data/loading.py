"""Loading a data set: by its name, or as an object that a program holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from datastill.configuration import number
from datastill.configuration import whole as whole_number
from datastill.data import objects
from datastill.data.catalogue import CATALOGUE, LARGEST_SIDE, SMALLEST_SIDE, Statistics, choice, parse, say_sized
from datastill.data.class_names import some
from datastill.data.data_set import DataSet
from datastill.data.images import channel_statistics, fingerprint
from datastill.data.kind import kind_of
from datastill.data.resize import resized
from datastill.data.storage import MEMORY_BUDGET, RawData, arrange
from datastill.data.whitening import ZCA, Whitening, check_same, check_whitening, kept, whitened
from datastill.errors import UserError
from datastill.logs import logger, note, noted
from datastill.reading import Reading, split_off
from datastill.size import Size
from datastill.text import counted

log = logger(__name__)

TEST_FRACTION = 0.2
"""Share of every class that becomes the test split of a source without one."""
VALIDATION_FRACTION = 0.1
"""Share of every class of the training split that is held out for choices."""


def load(
    data: DataSet | str | Any = "digits",
    *,
    validation: float = VALIDATION_FRACTION,
    size: int | Size | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    train_split: str | None = None,
    test_split: str | None = None,
    classes: Sequence[str | int] | str = (),
    class_names: Sequence[str] | None = None,
    skip_broken: bool = False,
    bit_depth: int | None = None,
    transparency: Literal["white", "ignore"] = "white",
    flip: bool | None = None,
    whiten: bool = False,
    memory_budget: int = MEMORY_BUDGET,
) -> DataSet:
    """Load a data set by its name, ``NAME[:PATH][@SIZE]``, or one that the program holds.

    Args:
        data: A name of `CATALOGUE`, with a path where it takes one, and a size to resize to: ``folder:photos@64``, ``cifar10@16``,
            ``parquet:DIR@64x48`` (height x width). Some classes only by their numbers in brackets at the end: ``cifar100[0-19]``,
            ``cifar10[3,5]``; their images are held out and normalised as in the whole. Or an object: ``(images, labels)`` as arrays or
            tensors, a map-style torch data set of (image, label), a Hugging Face ``Dataset`` or ``DatasetDict``, or a mapping such as
            ``{"train": ..., "test": ...}`` of those. Images are PIL images, bytes, or floats from 0 to 1, not normalised. A `DataSet` is
            returned as it is.
        validation: Share of every class of the training split held out for choices, in [0, 0.5]. The held-out images depend on the
            data alone, not on a run's seed.
        size: Height and width to resize to, for an object; a name ends with it.
        image_column: The column of the images, in a table.
        label_column: The column of the classes, in a table.
        train_split: The folder, files or split to distil, where several could be meant.
        test_split: The one to test on; "none" holds out a fifth of the training split.
        classes: Only these classes, by name or number, in this order. The others are not read: images are held out and normalised as if
            they were not there. Of a published data set it is the same as brackets.
        class_names: Names of the classes by number, for an object that has none.
        skip_broken: Whether to leave out images that cannot be read; a run records them.
        bit_depth: How many of their 16 bits images use.
        transparency: Whether transparent pixels show white, or transparency is ignored.
        flip: Whether a mirrored image keeps its class; True for images of one's own, unless it is given.
        whiten: Whether images are whitened by the training split (`datastill.data.whitening.ZCA`) instead of normalised by channel.
        memory_budget: Bytes of a split above which it is memory-mapped instead of held in memory.

    Returns:
        The data set with train, validation and test splits. Its name has the choices in braces, so that it is read in the same way again;
        its `notes` say what was chosen otherwise.

    Raises:
        UserError: If the name is unknown, its files are missing or damaged, or a class is too small to be split.
    """
    validation = number("validation", validation, least=0, most=0.5)
    memory_budget = whole_number("memory_budget", memory_budget, least=0)
    bit_depth = None if bit_depth is None else whole_number("bit_depth", bit_depth)
    sides = () if size is None else tuple(size) if isinstance(size, Sequence) else (size, size)
    sides = tuple(whole_number("size", side, least=SMALLEST_SIDE, most=LARGEST_SIDE) for side in sides)
    if len(sides) not in (0, 2):
        raise UserError(f"`size` must be one side, or a height and a width, got {size!r}")
    entries = classes.split(",") if isinstance(classes, str) else classes
    asked = Reading(
        image_column, label_column, train_split, test_split, tuple(map(str, entries)), skip_broken, bit_depth, transparency, flip, whiten
    )
    if isinstance(data, DataSet):
        if asked != Reading() or size is not None:
            raise UserError(f"{data.name} is already loaded: make choices where it is loaded")
        return data
    if isinstance(data, str) and (class_names is not None or size is not None):
        raise UserError(f"'{data}': `size` and `class_names` are for objects; a name ends with its size, as in folder:photos@64")
    if isinstance(data, Path):
        found = kind_of(data)
        names = [f"{key}:{data}" for key in ((found,) if found else ("folder", "parquet", "arrow"))]
        raise UserError(f"a path does not say what kind of data it holds: give its name, such as {' or '.join(map(repr, names))}")
    with noted() as notes:
        if isinstance(data, str):
            read = _named(data, asked, validation, memory_budget)
        else:
            raw = objects.read(data, (sides[0], sides[1]) if sides else None, asked, class_names)
            name = f"{objects.name_of(data)}{asked.text()}"
            read = _prepared(name, raw, None, asked.flip is not False, asked.whiten, validation, memory_budget)
    return replace(read, notes=tuple(notes))


def _named(name: str, asked: Reading, validation: float, memory_budget: int) -> DataSet:
    whole_name, chosen = choice(name)
    if chosen:
        return _named(whole_name, asked, validation, memory_budget).only(chosen)
    key, path, size = parse(name)
    say_sized(name, path, size)
    bare, written = split_off(name)
    reading, source = written.merged(asked), CATALOGUE[key]
    if refused := [field for field in reading.chosen() if field not in source.choices]:
        raise UserError(f"the data set '{key}' takes no `{refused[0]}`, because its layout is known; it takes {', '.join(source.choices)}")
    if "train_split" not in source.choices and reading.classes:
        whole = _named(f"{bare}{replace(reading, classes=()).text()}", Reading(), validation, memory_budget)
        return whole.only(whole.numbered(reading.classes))
    raw = source.read(path, size, reading)
    if size:
        raw = replace(raw, train=resized(raw.train, size), test=raw.test and resized(raw.test, size))
    flip = source.flip if reading.flip is None else reading.flip
    return _prepared(f"{bare}{reading.text()}", raw, source.statistics, flip, reading.whiten, validation, memory_budget)


def _prepared(
    name: str, raw: RawData, statistics: Statistics | None, flip: bool, whiten: bool, validation: float, memory_budget: int
) -> DataSet:
    """Decode what was read, and hold out what is to be held out."""
    classes = len(raw.class_names)
    if classes < 2:
        raise UserError(f"{name}: one class only ('{raw.class_names[0]}'); at least two are needed")
    if whiten:
        check_whitening(raw.train.channels, raw.train.size, name)
    whole = arrange(raw.train, classes, budget=memory_budget, part="train")
    needed = 1 + (raw.test is None) + (validation > 0)
    small = [(raw.class_names[label], count) for label, count in enumerate(whole.counts) if count < needed]
    if small:
        others = some([f"'{label}' {count}" for label, count in small[1:]])
        raise UserError(
            f"{name}: the class '{small[0][0]}' has {counted(small[0][1], 'training image')}, but {needed} are needed to hold some out"
            f"{f' (also too few: {others})' if others else ''}; add images, choose other `classes`, or hold out less"
            f"{' with `validation=0`' if validation else ''}"
        )
    if raw.test is None:
        note(log.info, "%s has no test split: %g%% of every class is held out as one", name, 100 * TEST_FRACTION)
        whole, test = whole.split(TEST_FRACTION, "test split")
    else:
        test = arrange(raw.test, classes, budget=memory_budget, part="test")
        if absent := [raw.class_names[label] for label, count in enumerate(test.counts) if not count]:
            note(log.warning, "%s: no test image of %d class(es): %s", name, len(absent), some(absent))
    if validation:
        note(log.debug, "%s: %g%% of the training images of every class are held out as validation split", name, 100 * validation)
    train, held_out = whole.split(validation, "validation split")
    mean, std = statistics or channel_statistics(train)
    mark = fingerprint(train, raw.class_names)
    skipped = (*raw.train.skipped, *(raw.test.skipped if raw.test else ()))
    data = DataSet(name, train, held_out, test, raw.class_names, mean, std, flip, mark, validation, skipped)
    return data.normalised_by(whitened(train, mark)) if whiten else data


@lru_cache(maxsize=2)
def whitening_of(known: Whitening, name: str, validation: float) -> ZCA:
    """A whitening that a file names: from the cache, or computed again from the data set.

    Args:
        known: Which one.
        name: The name of the data set, as in `load`.
        validation: Share of it that was held out, as in `load`.

    Raises:
        UserError: If the data set is needed and cannot be loaded, or has other images now.
    """
    found = kept(known)
    if found is None:
        data = load(name, validation=validation)
        found = data.whitening or whitened(data.train, data.fingerprint, epsilon=known.epsilon)
    check_same(found.identity, known, name)
    return found
