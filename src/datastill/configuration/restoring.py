"""Objects rebuilt from their descriptions. Only classes that are already defined can be named; nothing is imported by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from datastill import plugins
from datastill.configuration.describing import class_key, class_name, qualified
from datastill.configuration.types import dataclass_in, described_fields, from_plain, is_collection, left_out
from datastill.errors import UserError, unknown

T = TypeVar("T")


def restore(description: Any, base: type[T], where: str = "") -> T:
    """Rebuild an object from the result of `describe`.

    Args:
        description: Plain values, for example from ``yaml.safe_load``.
        base: Its class, or the class that it derives from.
        where: What is restored, for messages.

    Raises:
        UserError: If a field is missing, unknown or of the wrong type, or a class is not from this package or an installed plug-in.

    Example:
        >>> from datastill.configuration import describe
        >>> from datastill.terms import CovarianceMatching, Term
        >>> restore(describe(CovarianceMatching(weight=0.5)), Term)
        CovarianceMatching(weight=0.5)
    """
    where = where or base.__name__
    if not isinstance(description, Mapping):
        raise UserError(f"{where} must be a mapping of fields, got {description!r}")
    cls, named = _class(description, base, where)
    values = {str(key): value for key, value in description.items() if key not in named}
    hints = described_fields(cls)
    for field, value in values.items():
        if field not in hints:
            raise unknown(f"field of {where}", field, hints, hint=f"Its value is {value!r}.")
    usual = left_out(cls)
    for field, hint in hints.items():
        if field not in values and field in usual:
            continue
        if field not in values:
            raise UserError(f"{where} lacks the field '{field}'{_usual(cls, field)}")
        values[field] = _value(hint, values[field], f"{where}.{field}")
    try:
        return cls(**values)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    inner = dataclass_in(hint)
    if inner is None:
        return from_plain(hint, value, where)
    if not is_collection(hint):
        return None if value is None and not isinstance(hint, type) else restore(value, inner, where)
    if not isinstance(value, Mapping | list):
        raise UserError(f"{where} must hold descriptions by name, got {value!r}")
    if isinstance(value, list):
        return tuple(restore(entry, inner, f"{where}[{place}]") for place, entry in enumerate(value))
    restored: dict[str, Any] = {str(name): restore(entry, inner, f"{where}.{name}") for name, entry in value.items()}
    if dict in (origin := _origin(hint)).__mro__ or issubclass(origin, Mapping):
        return restored
    for name, entry in restored.items():
        if getattr(entry, "name", name) != name:
            raise UserError(f"{where}.{name} is called '{entry.name}': expected one name")
    return tuple(restored.values())


def _origin(hint: Any) -> type:
    origin = getattr(hint, "__origin__", hint)
    return origin if isinstance(origin, type) else type(origin)


def _class(description: Mapping[str, Any], base: type[T], where: str) -> tuple[type[T], tuple[str, ...]]:
    """The class of a description, and the key that it stands under."""
    key = class_key(base)
    name = description.get(key)
    if name is None and not inspect.isabstract(base):
        return base, ()
    found = _find(name, base)
    if found is None:
        plugins.load_all()
        found = _find(name, base)
    if found is None:
        known = sorted(class_name(cls) for cls in _concrete(base))
        problem = f"{where} does not say its {key}" if name is None else f"{where}.{key} is {name!r}, which does not exist"
        raise UserError(
            f"{problem}: expected a {base.__name__} of datastill, of an installed plug-in or of a module already imported, "
            f"such as {', '.join(known[:3])}"
        )
    return found, (key,)


def _find(name: Any, base: type[T]) -> type[T] | None:
    """The class of that name among those that derive from a base, the one defined last."""
    return next((cls for cls in reversed(list(_concrete(base))) if name in (qualified(cls), class_name(cls))), None)


def _concrete(base: type[T]) -> Iterator[type[T]]:
    if not inspect.isabstract(base):
        yield base
    for derived in base.__subclasses__():
        yield from _concrete(derived)


def _usual(cls: type, field: str) -> str:
    """What a field is by default, for a file that was written before it existed."""
    try:
        usual = getattr(cls(), field)
    except (TypeError, UserError):
        return ""
    return f", which is {usual!r} by default"
