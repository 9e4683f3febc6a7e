"""Every value of a method, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import Any

from datastill.configuration import paths, value_at
from datastill.data import CATALOGUE, known_size, parse
from datastill.errors import unknown
from datastill.kinds import Method
from datastill.methods.grammar import compose, published_of
from datastill.report.terminal import say_line
from datastill.setting import PRESETS, Lookup, Setting
from datastill.teachers.recipe import RECIPES

OTHER_IPCS = (1, 10, 50, 100)
"""Images per class that values are compared at, to say which depend on it."""


@dataclass(frozen=True)
class Value:
    """One value of a method.

    Attributes:
        path: As ``--set`` takes it.
        value: Its value.
        origin: Where it comes from, in a few words.
    """

    path: str
    value: Any
    origin: str


def values(lookup: Lookup) -> list[Value]:
    """Every value that can be set, in the order of the method's fields, terms and encoders.

    Args:
        lookup: The method's name, what its values are looked up by, and changes to them.

    Raises:
        UserError: If a name in it is unknown.
    """
    method = compose(lookup)
    origins = _Origins(lookup, method)
    return [Value(path, _plain(value_at(method, path)), origins.of(path)) for path in paths(method)]


class _Origins:
    """Says of values where they come from, by composing the method without what may have changed them.

    Args:
        lookup: As in `values`.
        method: What it gives.
    """

    def __init__(self, lookup: Lookup, method: Method) -> None:
        setting = lookup.setting
        self.lookup, self.method, self.base = replace(lookup, settings=()), method, lookup.name.lower().split("+")[0]
        (self.published,) = self._values([setting])
        (self.paper,) = self._values([replace(setting, preset="paper")])
        (self.large,) = self._values([replace(setting, side=None)])
        self.ipcs = self._values([replace(setting, ipc=ipc) for ipc in OTHER_IPCS])
        self.others = self._values([replace(setting, data=data) for data in CATALOGUE])

    def of(self, path: str) -> str:
        """Where the value at a path comes from."""
        value = value_at(self.method, path)
        if value != self.published.get(path):
            return "--set"
        by = [
            word for word, found in (("IPC", self.ipcs), ("data set", self.others)) if any(each.get(path, value) != value for each in found)
        ]
        depends = f", by {' and '.join(by)}" if by else ""
        if value != self.large.get(path):
            return f"images of {self.lookup.setting.side} pixels"
        if value != self.paper.get(path):
            return f"preset {self.lookup.setting.preset}{depends}"
        if not by and value == self._default(path):
            return "default"
        return f"{self._owner(path)}{depends}"

    def _owner(self, path: str) -> str:
        """The method or the term whose value it is."""
        part = path.partition(".")[0]
        names = {term.name: term.encoder for term in getattr(self.method, "terms", ())}
        added = getattr(self.method, "added", ())
        if part in names and part in added:
            return part
        bringing = [name for name, encoder in names.items() if encoder == part and name in added]
        return f"{bringing[0]} brings it" if bringing and part != "matching" else self.base

    def _default(self, path: str) -> Any:
        """The value that the class has of itself."""
        owner, _, name = path.rpartition(".")
        thing = value_at(self.method, owner) if owner else self.method
        entry = next(entry for entry in fields(thing) if entry.name == name)
        return entry.default_factory() if entry.default_factory is not MISSING else entry.default

    def _values(self, settings: Iterable[Setting]) -> list[dict[str, Any]]:
        """Every value in other settings, by path."""
        methods = [compose(replace(self.lookup, setting=setting)) for setting in settings]
        return [{path: value_at(method, path) for path in paths(method)} for method in methods]


def _plain(value: Any) -> Any:
    """A value as a setting would give it: a recipe by its name, several numbers with commas."""
    if is_dataclass(value):
        return next((name for name, recipe in RECIPES.items() if recipe == value), "changed")
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "(none)"
    return str(value).lower() if isinstance(value, bool) else value


def print_values(name: str, *, data: str = "digits", ipc: int = 10, preset: str = "paper", settings: Sequence[str] = ()) -> None:
    """Print every value of a method with its path and where it comes from.

    Args:
        name: In the grammar of `datastill.method`.
        data: A data set by name, which published values depend on; it is not read, but for the digits that come with this package.
        ipc: Images per class.
        preset: A name of `datastill.setting.PRESETS`.
        settings: Changes, as in `datastill.method`.
    """
    source, _, _ = parse(data)
    if preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    size = known_size(data)
    lookup = Lookup(name, Setting(source, 0, ipc, preset, min(size) if size else None), tuple(settings))
    method, found = compose(lookup), values(lookup)
    say_line(f"{method.name}: {method.kind}; values for {data} at IPC {ipc}")
    say_line(f"preset {preset}: {PRESETS[preset]}")
    if accuracy := published_of(name).get((source, ipc)):
        say_line(f"published: {accuracy} on {source} at IPC {ipc}")
    rows = [(value.path, str(value.value), value.origin) for value in found]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for path, value, origin in rows:
        say_line(f"  {path:<{widths[0]}}  {value:<{widths[1]}}  {origin}")
    say_line(f"To change one: --set {found[0].path}={found[0].value}" if found else "It has no settings.")
