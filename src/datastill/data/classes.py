"""Labels as a source stores them, to classes and their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datastill.data.class_names import chosen, look, lookalikes, some
from datastill.errors import UserError
from datastill.logs import logger, note
from datastill.reading import NONE, Reading
from datastill.text import counted

log = logger(__name__)

UNLABELLED = -1
"""The label that the hub has for a test image with a secret class."""


@dataclass(frozen=True)
class Labels:
    """The labels of a split.

    Attributes:
        stored: In order, as they are stored: names of classes, or numbers from 0.
        described: The names of the classes by number, all different; empty where there are none.
        where: What holds the labels, for messages.
        what: What the labels are called there.
        is_test: Whether it is the test split.
    """

    stored: Sequence[Any]
    described: tuple[str, ...]
    where: str
    what: str = "the labels"
    is_test: bool = False

    @cached_property
    def values(self) -> list[int | str]:
        """The label of every image; whole numbers that are stored as floats are numbers."""
        found = [int(value) if isinstance(value, float) and value.is_integer() else value for value in self.stored]
        if not found:
            raise UserError(f"{self.where}: there are no images")
        if UNLABELLED in found and self.is_test:
            share = "all" if set(found) == {UNLABELLED} else f"{found.count(UNLABELLED)} of {len(found)}"
            raise UserError(
                f"{self.where}: {share} labels are {UNLABELLED}, as in a test split with secret classes: test on another "
                f"split with `test_split=NAME`, or hold out a part of the training split with `test_split={NONE}`"
            )
        for value in found:
            if value is None or value != value:
                raise self._refused("a missing label")
            if isinstance(value, float):
                raise self._refused(f"{value}, which is no whole number and so no class")
            if not isinstance(value, str) and value < 0:
                raise self._refused(f"{value}")
        return found

    @cached_property
    def texts(self) -> list[str]:
        """The class of every image by its name, or by its number where that has none."""
        return [self.described[value] if isinstance(value, int) and value < len(self.described) else str(value) for value in self.values]

    def class_names(self, reading: Reading) -> tuple[str, ...]:
        """The names of the classes: those described that occur; without a description the labels that occur, in order."""
        in_order = sorted(set(self.values), key=lambda value: (isinstance(value, str), value))
        names = self.described or tuple(str(value) for value in in_order)
        lookalikes(names, self.where)
        if reading.classes:
            return chosen(reading.classes, names, self.where)
        present = set(self.texts)
        if strangers := [text for text in sorted(present) if text not in names]:
            raise UserError(
                f"{self.where}: labels beyond the {counted(len(names), 'described class', 'described classes')}: {some(strangers)}"
            )
        if unused := [name for name in names if name not in present]:
            note(log.warning, "%s: %d of %d classes have no image and are left out: %s", self.where, len(unused), len(names), some(unused))
        return tuple(name for name in names if name in present)

    def numbers(self, class_names: Sequence[str], reading: Reading) -> NDArray[np.int64]:
        """The number of every image's class among those of the training split; -1 for one that was not chosen.

        Raises:
            UserError: If there is a class that the training split lacks, and no choice of classes leaves it out.
        """
        number = {look(name): index for index, name in enumerate(class_names)}
        found = [number.get(look(text), -1) for text in self.texts]
        strangers = sorted({text for text, index in zip(self.texts, found, strict=True) if index < 0})
        if strangers and not reading.classes:
            raise UserError(
                f"{self.where}: classes that its training split or its metadata lacks: {some(strangers)}; choose the `classes` that both "
                f"have"
            )
        return np.array(found, dtype=np.int64)

    def _refused(self, said: str) -> UserError:
        remedy = "`label_column` names another" if "column" in self.what else "remove those images, or label them"
        return UserError(f"{self.where}: {self.what} must hold class names or class numbers from 0, but found {said}; {remedy}")
