"""How images of one's own are read where they leave a choice; part of a data set's name, so that whoever loads it reads the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_type_hints
from urllib.parse import quote, unquote

from datastill.errors import UserError, unknown

NONE = "none"
"""As the test split: a part of the training split is held out."""
WORDS = {True: "yes", False: "no"}
SEPARATORS = re.compile(r"[%;,{}\[\]=/@\x00-\x1f\x7f]")
"""What is written as %XX in a value."""


@dataclass(frozen=True)
class Reading:
    """Choices in reading a data set; None, or nothing, leaves a choice to what is found.

    Attributes:
        image_column: The column of the images, in a table.
        label_column: The column of the classes, in a table.
        train_split: The folder, files or split to distil, where several could be meant.
        test_split: The one to test on; "none" holds out a part of the training split.
        classes: Only these classes, by name, in this order.
        skip_broken: Whether to leave out images that cannot be read.
        bit_depth: How many of their 16 bits images use, from 1 to 16.
        transparency: Whether transparent pixels show white, or transparency is ignored.
        flip: Whether a mirrored image keeps its class.
        whiten: Whether images are whitened by ZCA instead of normalised by channel.
    """

    image_column: str | None = None
    label_column: str | None = None
    train_split: str | None = None
    test_split: str | None = None
    classes: tuple[str, ...] = ()
    skip_broken: bool = False
    bit_depth: int | None = None
    transparency: Literal["white", "ignore"] = "white"
    flip: bool | None = None
    whiten: bool = False

    def __post_init__(self) -> None:
        if self.bit_depth is not None and not 1 <= self.bit_depth <= 16:
            raise UserError(f"`bit_depth={self.bit_depth}`: expected the number of bits that images of 16 bits use, from 1 to 16")
        if self.transparency not in ("white", "ignore"):
            raise UserError(f"`transparency={self.transparency}`: expected white or ignore")
        if len(set(self.classes)) < len(self.classes) or len(self.classes) == 1:
            raise UserError(f"`classes={','.join(self.classes)}`: expected at least two different classes, separated by commas")
        for name in ("image_column", "label_column", "train_split", "test_split"):
            if getattr(self, name) == "":
                raise UserError(f"`{name}` is empty: give a name, or leave it out")

    def chosen(self) -> dict[str, Any]:
        """What was chosen, by name."""
        return {entry.name: value for entry in fields(self) if (value := getattr(self, entry.name)) != entry.default}

    def text(self) -> str:
        """As it stands in the name of a data set: ``{image_column=photo;classes=cat,dog}``; nothing where nothing was chosen.

        Example:
            >>> Reading(image_column="photo", classes=("cat", "dog"), skip_broken=True).text()
            '{image_column=photo;classes=cat,dog;skip_broken=yes}'
        """
        entries = ";".join(f"{name}={_written(value)}" for name, value in self.chosen().items())
        return f"{{{entries}}}" if entries else ""

    def merged(self, other: Reading) -> Reading:
        """These choices, changed by those of another."""
        return replace(self, **other.chosen())


def split_off(name: str) -> tuple[str, Reading]:
    """Split the choices off the end of a data set's name.

    Example:
        >>> split_off("folder:photos@64{test_split=eval;flip=no}")
        ('folder:photos@64', Reading(image_column=None, label_column=None, train_split=None, test_split='eval', classes=(), \
skip_broken=False, bit_depth=None, transparency='white', flip=False, whiten=False))

    Raises:
        UserError: If there is no such choice, or a value is not one of its.
    """
    match = re.fullmatch(r"(?P<whole>.+)\{(?P<entries>\w+=[^{}]*)\}", name)
    if match is None:
        return name, Reading()
    hints, found = get_type_hints(Reading), {}
    for entry in match["entries"].split(";"):
        key, _, value = entry.partition("=")
        if key not in hints:
            raise unknown(f"setting of the data set {match['whole']}", key, hints)
        found[key] = _read(key, hints[key], value)
    return match["whole"], Reading(**found)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return WORDS[value]
    return ",".join(map(_quoted, value)) if isinstance(value, tuple) else _quoted(str(value))


def _quoted(text: str) -> str:
    return SEPARATORS.sub(lambda match: quote(match[0], safe=""), text)


def _read(key: str, hint: Any, value: str) -> Any:
    if hint == tuple[str, ...]:
        return tuple(unquote(part, errors="surrogateescape") for part in value.split(","))
    if hint in (bool, bool | None):
        if value not in WORDS.values():
            raise UserError(f"`{key}={value}`: expected yes or no")
        return value == WORDS[True]
    if hint == int | None:
        if not value.isascii() or not value.isdigit():
            raise UserError(f"`{key}={value}`: expected a whole number")
        return int(value)
    return unquote(value, errors="surrogateescape")
