"""Terms, methods and loggers of other installed packages, found by the entry points that those packages declare."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from datastill.errors import UserError, unknown
from datastill.logs import logger

T = TypeVar("T")
log = logger(__name__)

GROUPS = {"term": "datastill.terms", "method": "datastill.methods", "logger": "datastill.loggers"}
"""The groups of entry points, by what they name."""


class Names(Generic[T]):
    """The names of one kind of thing: those of this package, and those that installed packages add.

    A package is imported when a name of its own is asked for, or when all names are.

    Args:
        what: A key of `GROUPS`.
        own: What this package has, by name.
        check: Returns what a plug-in offers under a name, or raises ValueError saying what was expected.
        reserved: Names that stand for something else.
    """

    def __init__(self, what: str, own: Mapping[str, T], check: Callable[[str, Any], T], reserved: Collection[str] = ()) -> None:
        self.what, self.own, self.check, self.reserved = what, own, check, reserved

    def find(self, name: str, *, hint: str = "") -> T:
        """Find a thing by its name.

        Raises:
            UserError: If there is no such name, two packages claim it, or its plug-in cannot be used.
        """
        plugins = _plugins(self.what)
        if name in plugins:
            return self._loaded(name, plugins[name])
        if name not in self.own:
            raise unknown(self.what, name, [*self.own, *self.reserved, *plugins], hint=hint)
        return self.own[name]

    def all(self) -> dict[str, T]:
        """Everything by name; a plug-in that cannot be used is left out, with a message."""
        found = dict(self.own)
        for name, points in _plugins(self.what).items():
            try:
                found[name] = self._loaded(name, points)
            except UserError as error:
                log.warning("%s", error)
        return found

    @contextmanager
    def guarded(self, name: str) -> Iterator[None]:
        """Turn an exception inside a plug-in into one line; exceptions of this package itself are not hidden."""
        points = _plugins(self.what).get(name)
        if not points:
            yield
            return
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            raise _unusable(self.what, points[0], error) from error

    def _loaded(self, name: str, points: list[EntryPoint]) -> T:
        if name in self.own or name in self.reserved or len(points) > 1:
            others = ["datastill itself"] if name in self.own or name in self.reserved else []
            raise UserError(
                f"two packages have a {self.what} named '{name}': {', '.join([*others, *map(origin, points)])}; "
                f"uninstall one of them, or give its {self.what} another name"
            )
        try:
            return self.check(name, points[0].load())
        except (Exception, SystemExit) as error:
            raise _unusable(self.what, points[0], error) from error


def load_all() -> None:
    """Import every plug-in; one that cannot be imported is left out, with a message."""
    for what in GROUPS:
        for points in _plugins(what).values():
            for point in points:
                try:
                    point.load()
                except (Exception, SystemExit) as error:
                    log.warning("%s", _unusable(what, point, error))


def origin(point: EntryPoint) -> str:
    """The package that declares an entry point, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def origin_of(what: str, name: str) -> str:
    """The package that a name comes from; "" for this one."""
    points = _plugins(what).get(name)
    return origin(points[0]) if points else ""


def offered(what: str) -> list[str]:
    """What installed packages add, each with its package, whether it can be used or not."""
    return [f"{name} [{origin(point)}]" for name, points in _plugins(what).items() for point in points]


@cache
def _plugins(what: str) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=GROUPS[what]), key=lambda point: (point.name, point.value)):
        found.setdefault(point.name.lower(), []).append(point)
    return found


def _unusable(what: str, point: EntryPoint, error: BaseException) -> UserError:
    reason = " ".join(str(error).split()) or "no reason given"
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    return UserError(f"the {what} '{point.name}' of the package {origin(point)} cannot be used: {kind}{reason}")
