"""Whether the values of a method are those published for what it distils."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from datastill.configuration import flat
from datastill.data import CATALOGUE, DataSet
from datastill.errors import UserError
from datastill.kinds import Method
from datastill.methods.grammar import compose
from datastill.setting import Lookup, Setting


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
    has, looked_up, fitting = (flat(each.describe()) for each in (method, compose(lookup), compose(here)))
    kept = {path: value for path, value in looked_up.items() if path in has and has[path] == value}
    stale = {path: value for path, value in kept.items() if value != fitting.get(path)}
    if stale:
        values = "; ".join(f"{_path(path)} is {value}, would be {fitting.get(path)}" for path, value in stale.items())
        raise UserError(
            f"the method {method.name} has values for {_said(lookup.setting)}, not for {_said(here.setting)}, which is to be distilled "
            f"({values}): give `method` by name, or compose it with {_call(lookup, data, ipc)}"
        )


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
