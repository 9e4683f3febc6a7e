"""What a YAML file of an experiment may say, by pydantic; the defaults are those of the commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from datastill.configuration import describe
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.kinds.method import ITERATIONS

LISTS = ("ipc", "seeds", "validate_at", "compare")
"""Keys of several values, where one value alone counts as a list of one."""
NAMED = {"data": "data", "methods": "method"}
"""Keys of entries, where a name alone stands for an entry with nothing else."""


def spelt_out(content: Mapping[str, Any]) -> dict[str, Any]:
    """Spell out what a file may say in short.

    Example:
        >>> spelt_out({"data": "digits", "ipc": 2, "settings": {"cc.weight": 0.1, "halve_at": [5, 10]}})
        {'data': [{'data': 'digits'}], 'ipc': [2], 'settings': ['cc.weight=0.1', 'halve_at=5,10']}
    """
    found = _values(content)
    for key, name in NAMED.items():
        if key in found:
            entries = [{name: entry} if isinstance(entry, str) else entry for entry in _listed(found[key])]
            found[key] = [_values(entry) if isinstance(entry, Mapping) else entry for entry in entries]
    return {**found, "protocol": _protocol(found["protocol"])} if "protocol" in found else found


def _protocol(value: Any) -> Any:
    """The name of a protocol, or values of which ``called`` is one, become all of its values."""
    changes = {"called": value} if isinstance(value, str) else value
    if not isinstance(changes, Mapping) or not isinstance(changes.get("called"), str):
        return value
    return {**describe(Protocol.named(changes["called"])), **changes}


def _values(entry: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: _listed(value) if key in LISTS else value for key, value in entry.items()}
    return {**found, "settings": _settings(found["settings"])} if "settings" in found else found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _settings(value: Any) -> list[Any]:
    """A mapping of paths to values becomes ``PATH=VALUE``, as on the command line."""
    if not isinstance(value, Mapping):
        return _listed(value)
    return [f"{path}={','.join(map(_text, _listed(entry)))}" for path, entry in value.items()]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _published(value: Any) -> float | dict[tuple[str, int], float] | None:
    """A number, or numbers by data set and IPC."""
    try:
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        return {(str(data), int(ipc)): float(number) for data, numbers in value.items() for ipc, number in numbers.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError("should be a number, or numbers by data set and IPC such as {cifar10: {10: 48.5}}") from error


Positive = Annotated[int, Field(ge=1)]
Iterations = tuple[Annotated[int, Field(ge=0)], ...]
Ipcs = Annotated[tuple[Positive, ...], Field(min_length=1)]
Seeds = Annotated[tuple[int, ...], Field(min_length=1)]
Settings = tuple[str, ...]


class Strict(BaseModel):
    """No unknown keys, and no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DataEntry(Strict):
    """A data set, and what is different there from the rest of the table."""

    data: str
    label: str = ""
    ipc: Ipcs | None = None
    iterations: Positive | None = None
    seeds: Seeds | None = None
    settings: Settings = ()
    validate_at: Iterations | None = None
    validation_epochs: Positive | None = None
    repeats: Positive | None = None
    epochs: Positive | None = None


class MethodEntry(Strict):
    """A method, and what is different there from the rest of the table."""

    method: str
    label: str = ""
    settings: Settings = ()
    preset: str = ""
    iterations: Positive | None = None
    validate_at: Iterations = ()
    network: str = ""
    of: str = ""
    published: Annotated[float | dict[tuple[str, int], float] | None, PlainValidator(_published)] = None


class Table(Strict):
    """The whole file."""

    data: Annotated[tuple[DataEntry, ...], Field(min_length=1)]
    methods: Annotated[tuple[MethodEntry, ...], Field(min_length=1)]
    title: str = ""
    ipc: Ipcs = (10,)
    iterations: Positive = ITERATIONS
    seeds: Seeds = (0,)
    settings: Settings = ()
    preset: str = "paper"
    validate_at: Iterations = ()
    validation_epochs: Positive = 300
    repeats: Positive = 5
    protocol: Protocol = Protocol()
    split: Literal["test", "validation"] = "test"
    compare: tuple[Literal["rendering", "random"], ...] = ()
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: bool | None = None
    remark: str = ""
    keep_sets: bool = False


PARTS: dict[str, type[BaseModel] | type[Protocol]] = {"data": DataEntry, "methods": MethodEntry, "protocol": Protocol}
"""What the entries of a key are."""
