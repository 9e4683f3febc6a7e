"""The fields of a dataclass by their annotated types, and values read strictly as such a type."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, field, fields, is_dataclass
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from datastill.errors import UserError

WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text"}


def described_fields(cls: type) -> dict[str, Any]:
    """The annotated type of every field that distinguishes two objects and that the constructor takes.

    A field with ``compare=False`` does not distinguish objects and is left out.

    Raises:
        UserError: If an annotation names something undefined.
    """
    return dict(_described_fields(cls))


@lru_cache(maxsize=1024)  # evaluating annotations takes milliseconds, and every object is described by them
def _described_fields(cls: type) -> dict[str, Any]:
    try:
        hints = get_type_hints(cls)
    except NameError as error:
        raise UserError(f"the fields of {cls.__qualname__} have types that cannot be found: {error}") from error
    return {entry.name: hints[entry.name] for entry in fields(cls) if entry.init and entry.compare}


def added_later(default: Any) -> Any:
    """A field of a dataclass that was added after runs had been described without it.

    At its default it is not described, and a description without it is one with the default: what was written before stays valid.

    Args:
        default: The default; ``dict`` for an empty mapping.
    """
    metadata = {"added": True}
    return field(default_factory=dict, metadata=metadata) if default is dict else field(default=default, metadata=metadata)


def left_out(cls: type) -> dict[str, Any]:
    """The fields that a description leaves out at their default, with it; see `added_later`."""
    added = (entry for entry in fields(cls) if entry.metadata.get("added"))
    return {entry.name: entry.default if entry.default_factory is MISSING else entry.default_factory() for entry in added}


def not_set(default: Any) -> Any:
    """A field of a dataclass that follows from how the object was made: it is described, but is no setting."""
    return field(default=default, metadata={"set": False})


def no_settings(cls: type) -> set[str]:
    """The fields that are no settings: the object's name, and those marked with `not_set`."""
    return {"name", *(entry.name for entry in fields(cls) if not entry.metadata.get("set", True))}


def dataclass_in(hint: Any) -> type | None:
    """The dataclass that a type is, or may be, or holds any number of; None for other types.

    Example:
        >>> from datastill.errors import UserError
        >>> dataclass_in(tuple[int, ...]) is None
        True
    """
    if isinstance(hint, type) and get_origin(hint) is None:
        return hint if is_dataclass(hint) else None
    return next((found for argument in get_args(hint) if (found := dataclass_in(argument))), None)


def is_collection(hint: Any) -> bool:
    """Whether a type is a mapping, a tuple or a list."""
    origin = get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, (Mapping, Sequence))


def from_plain(hint: Any, value: Any, where: str) -> Any:
    """Read a plain value, as YAML gives it, as a type; a number is not a text, and 2.9 is not a whole number.

    Raises:
        UserError: If it has the wrong type.
    """
    try:
        return TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except (ValidationError, TypeError, ValueError) as error:
        advice = " (YAML takes 1e-3 for text: write 1.0e-3)" if isinstance(value, str) and _is_number(value) else ""
        raise UserError(f"{where} must be {expected(hint)}, got {value!r}{advice}") from error


def from_text(hint: Any, text: str, where: str, *, such_as: Any = None) -> Any:
    """Read a text, as a command line gives it, as a type; several values are separated by commas.

    Args:
        hint: The type.
        text: The text.
        where: What is read, for the message.
        such_as: An example, for the message.

    Raises:
        UserError: If it has the wrong type.

    Example:
        >>> from_text(tuple[float, ...], "0.5,1", "km.scales")
        (0.5, 1.0)
    """
    try:
        return _parsed(hint, text)
    except (ValidationError, ValueError) as error:
        example = f" such as {such_as}" if such_as is not None and hint in (int, float) else ""
        commas = expected(hint).replace("a list of ", "").replace("numbers", "numbers separated by commas")
        raise UserError(f"{where} must be {commas}{example}, got '{text}'") from error


def settable(hint: Any) -> bool:
    """Whether a value of a type can be written as a text."""
    if get_origin(hint) in (Union, types.UnionType):
        return all(settable(argument) for argument in get_args(hint))
    if get_origin(hint) is tuple:
        return all(argument is Ellipsis or settable(argument) for argument in get_args(hint))
    return hint in (int, float, bool, str, type(None)) or get_origin(hint) is Literal


def expected(hint: Any) -> str:
    """A type in words."""
    arguments = get_args(hint)
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, arguments))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join("none" if argument is type(None) else expected(argument) for argument in arguments)
    if is_collection(hint):
        inner = WORDS.get(arguments[-1] if arguments[-1] is not Ellipsis else arguments[0], "value")
        return f"a list of {inner}s" if get_origin(hint) is not dict else f"{inner}s by name"
    word = WORDS.get(hint, getattr(hint, "__name__", str(hint)))
    return word if hint in (bool, str) else f"a {word}"


def _parsed(hint: Any, text: str) -> Any:
    arguments: tuple[Any, ...] = get_args(hint)
    if get_origin(hint) is tuple:
        parts = [part for part in text.split(",") if part]
        kinds = [arguments[0]] * len(parts) if arguments[-1] is Ellipsis else list(arguments)
        return tuple(_parsed(kind, part) for kind, part in zip(kinds, parts, strict=True))
    if type(None) in arguments and text.lower() == "none":
        return None
    if hint is int and "." in text:
        raise ValueError(text)
    return TypeAdapter(hint).validate_strings(text, strict=True)


def _is_number(text: str) -> bool:
    return _succeeds(float, text)


def _succeeds(function: Callable[[str], object], text: str) -> bool:
    try:
        function(text)
    except ValueError:
        return False
    return True
