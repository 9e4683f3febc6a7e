"""Numbers that were given: of the right kind and within their bounds, in one clear line otherwise."""

from __future__ import annotations

import math
import numbers
import types
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import is_dataclass
from typing import Any, Literal, Union, get_args, get_origin

from datastill.configuration.types import described_fields, expected
from datastill.errors import UserError

LARGEST = 2**63
"""Whole numbers are below this, and not below its negative."""


def whole(name: str, value: Any, *, least: int | None = None, most: int | None = None) -> int:
    """Take a whole number, of Python or NumPy; 2.9, "3" and True are none.

    Args:
        name: Of the argument.
        value: What was given for it.
        least: The smallest that is allowed.
        most: The largest that is allowed.

    Raises:
        UserError: If it is something else.

    Example:
        >>> whole("ipc", 2.9, least=1)
        Traceback (most recent call last):
        datastill.errors.UserError: `ipc` must be a whole number of at least 1, got 2.9
    """
    found = _is_whole(value)
    if found and not -LARGEST <= value < LARGEST:
        raise UserError(f"`{name}` must be a whole number of 64 bits, but has more")
    if not found or (least is not None and value < least) or (most is not None and value > most):
        bounds = f" from {least} to {most}" if None not in (least, most) else "" if least is None else f" of at least {least}"
        raise UserError(f"`{name}` must be a whole number{bounds}, got {_said(value)}")
    return int(value)


def words(name: str, values: Any) -> tuple[str, ...]:
    """Take a list of texts; a single text is a list of one.

    Args:
        name: Of the argument.
        values: What was given for it.

    Raises:
        UserError: If it is something else.

    Example:
        >>> words("settings", "real_batch=8"), words("settings", ["a=1", "b=2"])
        (('real_batch=8',), ('a=1', 'b=2'))
    """
    listed = isinstance(values, Iterable) and not isinstance(values, bytes | Mapping | Set)
    found = (values,) if isinstance(values, str) else tuple(values) if listed else values
    if not isinstance(found, tuple) or not all(isinstance(value, str) for value in found):
        raise UserError(f"`{name}` must be a list of texts, got {_said(values)}")
    return found


def seed(value: Any) -> int:
    """Take a seed: any whole number of 64 bits.

    Raises:
        UserError: If it is something else.
    """
    return whole("seed", value)


def number(name: str, value: Any, *, least: float = -math.inf, most: float = math.inf) -> float:
    """Take a finite number, of Python or NumPy; NaN, "3" and True are none.

    Args:
        name: Of the argument.
        value: What was given for it.
        least: The smallest that is allowed.
        most: The largest that is allowed.

    Raises:
        UserError: If it is something else.

    Example:
        >>> number("checkpoint_seconds", float("nan"), least=0)
        Traceback (most recent call last):
        datastill.errors.UserError: `checkpoint_seconds` must be a finite number of at least 0, got nan
    """
    if not _is_real(value) or not math.isfinite(value) or not least <= value <= most:
        bounds = f" from {least:g} to {most:g}" if math.isfinite(most) else f" of at least {least:g}" if math.isfinite(least) else ""
        raise UserError(f"`{name}` must be a finite number{bounds}, got {_said(value)}")
    return float(value)


def check_fields(thing: Any, where: str = "") -> None:
    """Refuse fields of a configured object, and of those that it holds, whose values are not of their annotated types, or NaN.

    Args:
        thing: An instance of a dataclass.
        where: What it is called in messages; by default its class.

    Raises:
        UserError: At the first such field.

    Example:
        >>> from datastill.teachers.recipe import TrainingRecipe
        >>> check_fields(TrainingRecipe(epochs=2.5))
        Traceback (most recent call last):
        datastill.errors.UserError: TrainingRecipe.epochs must be a whole number, got 2.5
    """
    where = where or type(thing).__name__
    for name, hint in described_fields(type(thing)).items():
        value = getattr(thing, name)
        if _is_whole(value) and not -LARGEST <= value < LARGEST:
            raise UserError(f"{where}.{name} must be {expected(hint)} of 64 bits, but has more")
        if not _fits(hint, value):
            raise UserError(f"{where}.{name} must be {expected(hint)}, got {_said(value)}")
        for key, inner in _inside(value):
            check_fields(inner, f"{where}.{name}{key}")


def _inside(value: Any) -> list[tuple[str, Any]]:
    """The dataclasses that a field is or holds, and how they are reached."""
    if is_dataclass(value) and not isinstance(value, type):
        return [("", value)]
    held: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        held = list(value.items())
    elif isinstance(value, tuple | list):
        held = [(getattr(entry, "name", place), entry) for place, entry in enumerate(value)]
    return [(f".{key}", entry) for key, entry in held if is_dataclass(entry) and not isinstance(entry, type)]


def _fits(hint: Any, value: Any) -> bool:
    """Whether a value is of a type; true of types that are not made of numbers and text."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(argument, value) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return False
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        return len(kinds) == len(value) and all(map(_fits, kinds, value))
    if hint is int:
        return _is_whole(value)
    if hint is float:
        return _is_real(value) and not math.isnan(value)
    return isinstance(value, hint) if hint in (bool, str, type(None)) else True


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _said(value: Any) -> str:
    """A value in a message: short, whatever it is."""
    try:
        return f"{value:.6g}" if isinstance(value, float) else repr(value)[:60]
    except Exception:  # a value of any class, or more digits than Python writes
        return f"a {type(value).__name__}"
