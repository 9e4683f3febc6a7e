"""Single values of an object set by their path, ``cc.weight=0.02``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass, replace
from typing import Any, TypeVar

from datastill.configuration.types import dataclass_in, described_fields, from_text, is_collection, no_settings, settable
from datastill.errors import UserError, meant, nearest, unknown

T = TypeVar("T")

NEAR = 0.6
"""How alike a name must be to one of a part, to be taken for it; from 0 to 1."""
ARGUMENTS = ("ipc", "iterations", "seed", "preset", "data")
"""What is no setting, but is given beside them."""


def changed(thing: T, setting: str, name: str) -> T:
    """Set one value of an object or of what it is made of.

    Args:
        thing: A dataclass. What it holds in mappings and tuples is reached by its name, what it holds in a field by that of the field.
        setting: ``PATH=VALUE``, such as ``real_batch=64``, ``cc.weight=0.02`` or ``pretrained.recipe.epochs=4``. A field whose class has
            names for its values (a method ``named``) takes such a name: ``pretrained.recipe=paper``; so does what a mapping holds, which
            then has that thing's own values: ``matching=trajectory``.
        name: What the object is called in messages.

    Raises:
        UserError: If there is no such path, or the value has the wrong type.

    Example:
        >>> from datastill.teachers.recipe import TrainingRecipe
        >>> changed(TrainingRecipe(), "epochs=7", "the recipe").epochs
        7
    """
    path, equals, text = setting.partition("=")
    steps = path.split(".")
    if not equals or not all(steps):
        raise UserError(f"'{setting}' is not a setting; expected FIELD=VALUE or TERM.FIELD=VALUE, for example cc.weight=0.02")
    known = list(paths(thing))
    if not known:
        raise UserError(f"{name} has no settings, but got {setting}")
    if path not in known and not _replaceable(thing, steps):
        raise _unknown(thing, path, known, setting, name)
    result: T = _set(thing, steps, text, path if len(steps) > 1 else f"{name}.{path}")
    return result


def paths(thing: Any, prefix: str = "") -> Iterator[str]:
    """Every path that can be set."""
    left = no_settings(type(thing))
    for field, hint in described_fields(type(thing)).items():
        if field not in left and (settable(hint) or _named(hint)):
            yield f"{prefix}{field}"
    for name, part in _parts(thing).items():
        yield from paths(part, f"{prefix}{name}.")


def value_at(thing: Any, path: str) -> Any:
    """The value at a path (see `paths`), or the part that paths lead through.

    Example:
        >>> from datastill.teachers.recipe import TrainingRecipe
        >>> value_at(TrainingRecipe(), "epochs")
        4
    """
    first, _, rest = path.partition(".")
    parts = _parts(thing)
    if rest:
        return value_at(parts[first], rest)
    return parts[first] if first in parts else getattr(thing, first)


def with_value(thing: T, path: str, value: Any) -> T:
    """The same with another value at a path (see `paths`), whatever it may be.

    Example:
        >>> from datastill.teachers.recipe import TrainingRecipe
        >>> with_value(TrainingRecipe(), "epochs", 7).epochs
        7

    Raises:
        LookupError: If there is no such path.
    """
    first, _, rest = path.partition(".")
    changes: Any
    if rest:
        changes = _with_part(thing, first, with_value(_parts(thing)[first], rest, value))
    elif first in _parts(thing):
        changes = _with_part(thing, first, value)
    elif first in described_fields(type(thing)):
        changes = replace(thing, **{first: value})  # type: ignore[type-var]  # a dataclass: it has described fields
    else:
        raise KeyError(first)
    result: T = changes
    return result


def _parts(thing: Any) -> dict[str, Any]:
    """What an object is made of, by name."""
    found: dict[str, Any] = {}
    for field in described_fields(type(thing)):
        value = getattr(thing, field)
        if is_dataclass(value):
            found[field] = value
        elif isinstance(value, Mapping):
            found |= {str(name): part for name, part in value.items() if is_dataclass(part)}
        elif isinstance(value, tuple):
            found |= {part.name: part for part in value if is_dataclass(part) and hasattr(part, "name")}
    return found


def _named(hint: Any) -> Callable[[str], Any] | None:
    """What finds values of a type by their names; None for a type without names, and for a collection."""
    return None if is_collection(hint) else getattr(dataclass_in(hint), "named", None)


def _replaceable(thing: Any, steps: list[str]) -> bool:
    """Whether a path leads to a thing that another one of its kind can be put in the place of, by its name."""
    first, *rest = steps
    part = _parts(thing).get(first)
    return part is not None and (_replaceable(part, rest) if rest else hasattr(type(part), "named"))


def _set(thing: Any, steps: list[str], text: str, where: str) -> Any:
    first, *rest = steps
    if rest:
        return _with_part(thing, first, _set(_parts(thing)[first], rest, text, where))
    if first not in described_fields(type(thing)):
        return _with_part(thing, first, _parts(thing)[first].named(text))
    hint = described_fields(type(thing))[first]
    named = _named(hint)
    value = named(text) if named else from_text(hint, text, where, such_as=getattr(thing, first))
    return replace(thing, **{first: value})


def _with_part(thing: Any, name: str, part: Any) -> Any:
    before = _parts(thing)[name]
    for field in described_fields(type(thing)):
        value = getattr(thing, field)
        if field == name and value is before:
            return replace(thing, **{field: part})
        if isinstance(value, Mapping) and value.get(name) is before:
            return replace(thing, **{field: {**value, name: part}})
        if isinstance(value, tuple) and any(entry is before for entry in value):
            return replace(thing, **{field: tuple(part if entry is before else entry for entry in value)})
    raise KeyError(name)


def _unknown(thing: Any, path: str, known: list[str], setting: str, name: str) -> UserError:
    owner, _, field = path.rpartition(".")
    ending = [candidate for candidate in known if candidate.endswith(f".{path}")]
    own = [candidate.rpartition(".")[2] for candidate in known if candidate.rpartition(".")[0] == owner]
    if ending:
        return UserError(f"{name} has no '{path}' of its own, but it has {', '.join(ending)}: name one of them")
    below = [candidate for candidate in known if not owner or candidate.startswith(f"{owner}.")]
    last = list(dict.fromkeys(candidate.rpartition(".")[2] for candidate in below))
    if not owner and not meant(field, own) and (argument := meant(field, ARGUMENTS)):
        return UserError(f"'{path}' is no setting of {name}: it is given beside the settings, as `{argument}`")
    close = meant(field, own) or nearest(field, last, NEAR)
    if close is not None and close not in own:
        ending = [candidate for candidate in below if candidate.endswith(f".{close}")]
        return UserError(f"{name} has no '{path}'. Did you mean {' or '.join(ending)}?")
    if own:
        return unknown(f"setting of {owner or name}", field, own)
    close = nearest(path, known)
    suggestion = f" Did you mean '{close}'?" if close else ""
    parts = ", ".join(_parts(thing))
    return UserError(f"{name} has no '{owner}', which came in the setting '{setting}'.{suggestion} It has: {parts}.")
