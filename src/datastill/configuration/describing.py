"""An object as plain values, derived from the fields of its dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from datastill.configuration.types import dataclass_in, described_fields, left_out
from datastill.errors import UserError


def describe(thing: object, declared: type | None = None) -> dict[str, Any]:
    """Describe a dataclass by its fields, as values that YAML and JSON hold; `restore` is the inverse.

    Every field that distinguishes objects is described: all but those with ``compare=False``, and those that were `added_later` at their
    default. Where other classes may stand in the same place, the class is described too: as ``class``, or under another key if it says so
    with ``class_key``. A tuple of things that have names becomes a mapping by name.

    Args:
        thing: An instance of a dataclass.
        declared: The class that is expected in its place, if that is known.

    Raises:
        UserError: If a field holds what cannot be written down.

    Example:
        >>> from datastill.teachers.recipe import TrainingRecipe
        >>> describe(TrainingRecipe(epochs=2))["epochs"]
        2
    """
    cls = type(thing)
    described: dict[str, Any] = {}
    if cls is not (declared or cls) or any(inspect.isabstract(base) for base in cls.__mro__):
        described[class_key(cls)] = class_name(cls)
    usual = left_out(cls)
    for name, hint in described_fields(cls).items():
        if name in usual and getattr(thing, name) == usual[name]:
            continue
        described[name] = _plain(getattr(thing, name), dataclass_in(hint), f"{cls.__qualname__}.{name}")
    return described


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name every leaf of a nested configuration by its path.

    Example:
        >>> flat({"a": {"b": 1}, "c": 2})
        {'a.b': 1, 'c': 2}
    """
    leaves: dict[str, Any] = {}
    for key, entry in value.items():
        if isinstance(entry, Mapping):
            leaves |= flat(entry, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = entry
    return leaves


def class_key(cls: type) -> str:
    """The key that a description has the class under."""
    return str(getattr(cls, "class_key", "class"))


def class_name(cls: type) -> str:
    """What a description says of the class: where it is defined; of a kind of this package its name alone."""
    own = cls.__module__.partition(".")[0] == "datastill"
    return cls.__qualname__ if own and class_key(cls) == "kind" else qualified(cls)


def qualified(cls: type) -> str:
    """The module and the name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _plain(value: Any, declared: type | None, where: str) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return describe(value, declared)
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, declared, where) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        names = [getattr(entry, "name", None) for entry in value if is_dataclass(entry)]
        if value and len(set(names)) == len(value) and all(isinstance(name, str) for name in names):
            return {str(entry.name): _plain(entry, declared, where) for entry in value}
        return {} if declared is not None and not value else [_plain(entry, declared, where) for entry in value]
    if value is None or isinstance(value, bool | str):
        return value
    for number in (int, float):  # those of numpy are such numbers too, but YAML does not know them
        if isinstance(value, number):
            return number(value)
    raise UserError(f"{where} cannot be written to a configuration: expected numbers, strings, tuples or dataclasses, got {value!r}")
