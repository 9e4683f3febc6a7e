"""The values of a method are those published for what it distils, or they are refused."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from datastill.configuration import flat, value_at, with_value
from datastill.data import CATALOGUE, DataSet
from datastill.errors import UserError
from datastill.kinds import Method
from datastill.logs import logger
from datastill.methods.grammar import compose
from datastill.setting import Lookup, Setting

log = logger(__name__)


def resolved(method: Method, data: DataSet, ipc: int) -> Method:
    """Look the values of a method up for what it is to distil, if nobody said that before.

    Values that were set by hand, in `settings`, with ``dataclasses.replace`` or by adding terms, are kept.

    Args:
        method: Composed from a name, or otherwise.
        data: What it is to distil.
        ipc: Images per class.

    Raises:
        UserError: If a value would be another one for this data set and IPC, and the method was composed for others.
    """
    if method.lookup is not None and method.lookup.open:
        known = method.lookup.known(data.source, data.classes, ipc, min(data.size))
        before, fitting = (_extended(compose(lookup), method) for lookup in (method.lookup, known))
        stale = _stale(method, before, fitting)
        if stale:
            log.info("%s takes the values for %s: %s", method.name, _said(known.setting), _told(stale))
        if method == before:
            method = replace(fitting, lookup=known)
        else:
            for path in stale:
                with contextlib.suppress(LookupError, AttributeError):  # what cannot be replaced is refused below
                    method = with_value(method, _path(path), value_at(fitting, _path(path)))
            method = replace(method, lookup=method.lookup if _stale(method, before, fitting) else known)
    check_lookup(method, data, ipc)
    return method


def check_lookup(method: Method, data: DataSet, ipc: int) -> None:
    """Refuse a method that still has values looked up for another data set or IPC, where those of this one differ.

    Values that were changed since, in `settings` or with ``dataclasses.replace``, are the user's own.

    Args:
        method: Composed from a name, or otherwise.
        data: What it is to distil.
        ipc: Images per class.

    Raises:
        UserError: If a value would be another one.
    """
    if method.lookup is None:
        return
    lookup = method.lookup
    here = replace(lookup, setting=Setting(data.source, data.classes, ipc, lookup.setting.preset, min(data.size)))
    if here.setting == lookup.setting:
        return
    if stale := _stale(method, *(_extended(compose(each), method) for each in (lookup, here))):
        raise UserError(
            f"the method {method.name} has values for {_said(lookup.setting)}, not for {_said(here.setting)}, which is to be distilled "
            f"({_told(stale)}): give `method` by name, or compose it with {_call(lookup, data, ipc)}"
        )


def _stale(method: Method, before: Method, fitting: Method) -> dict[str, tuple[Any, Any]]:
    """The values that a method still has as they were looked up and that are others where it is used, and those others, by path."""
    has, looked_up, here = (flat(each.describe()) for each in (method, before, fitting))
    kept = {path: value for path, value in looked_up.items() if path in has and has[path] == value}
    return {path: (value, here.get(path)) for path, value in kept.items() if value != here.get(path)}


def _extended(composed: Method, method: Method) -> Method:
    """A method with the terms that another one has beyond it; they may bring encoders, whose values depend on the setting."""
    names = {term.name for term in getattr(composed, "terms", ())}
    for term in getattr(method, "terms", ()):
        if term.name not in names:
            composed = composed + term
    return composed


def _told(stale: Mapping[str, tuple[Any, Any]]) -> str:
    return "; ".join(f"{_path(path)} is {value}, would be {fitting}" for path, (value, fitting) in stale.items())


def _path(path: str) -> str:
    """As a setting names it."""
    part, _, rest = path.partition(".")
    return rest if part in ("terms", "encoders") else path


def _said(setting: Setting) -> str:
    pixels = "" if setting.side is None else f" of {setting.side} pixels"
    return f"{setting.data}{pixels} with {setting.classes} classes at IPC {setting.ipc}"


def _call(lookup: Lookup, data: DataSet, ipc: int) -> str:
    known = f'datastill.load("{data.name}")' if data.source in CATALOGUE else "data"
    options: dict[str, Any] = {"preset": lookup.setting.preset} if lookup.setting.preset != "paper" else {}
    options |= {"settings": list(lookup.settings)} if lookup.settings else {}
    others = "".join(f", {name}={value!r}" for name, value in options.items())
    return f'datastill.method("{lookup.name}", data={known}, ipc={ipc}{others})'
