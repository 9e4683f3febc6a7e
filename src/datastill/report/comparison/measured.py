"""What was measured of one set, and under which conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datastill.configuration import flat, restore
from datastill.configuration.types import left_out
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.kinds import Method


@dataclass(frozen=True)
class Conditions:
    """What two results must have in common to stand in one table.

    Attributes:
        data: What the networks were tested on.
        fingerprint: Of the training split that the set was distilled from.
        split: "test" or "validation".
        protocol: How the networks were trained, with its number of epochs.
        labels: "hard" or "soft".
        learned_rate: Whether they were trained with a learning rate that the set brings.
    """

    data: str
    fingerprint: str
    split: str
    protocol: Protocol
    labels: str
    learned_rate: bool = False

    @property
    def title(self) -> str:
        """All of it in one line, but for the fingerprint."""
        protocol = self.protocol
        changes = f", {protocol.changes}" if protocol.changes else ""
        rate = ", learned learning rate" if self.learned_rate else ""
        where = f"{self.data}, {self.split} split, {protocol.title}"
        return f"{where}: {protocol.network}, {protocol.passes} epochs{changes}; labels: {self.labels}{rate}"


@dataclass(frozen=True)
class Measured:
    """The networks that were trained on one set with one seed.

    Attributes:
        source: The file or folder that it was read from.
        conditions: Under which it was measured.
        made: What identifies the set: the folder of its run.
        name: What it is called: the row's name, or the method.
        ipc: Images per class.
        images: Of the set.
        values: How it was distilled, by path; what tells two methods of one name apart.
        seed: Of distilling; None if it is not known, so that it is never put together with others.
        evaluation_seed: Of the networks.
        accuracies: Top-1 in percent of every network.
        random: Of networks trained on a random real subset of the same size.
        precision: Of the networks; "" if it was not recorded.
    """

    source: str
    conditions: Conditions
    made: str
    name: str
    ipc: float
    images: int
    values: Mapping[str, Any]
    seed: int | None
    evaluation_seed: int
    accuracies: tuple[float, ...]
    random: tuple[float, ...] = field(default=())
    precision: str = ""


def values_of(method: Mapping[str, Any], iterations: int | None) -> dict[str, Any]:
    """How a set was distilled, by the paths of settings.

    Example:
        >>> values_of({"name": "dm", "terms": {"mm": {"class": "MeanMatching", "weight": 1.0}}, "momentum": 0.5}, 20)
        {'iterations': 20, 'mm.weight': 1.0, 'momentum': 0.5}
    """
    paths = {path.removeprefix("terms.").removeprefix("encoders."): value for path, value in flat({**_defaults(method), **method}).items()}
    return {"iterations": iterations, **{path: value for path, value in paths.items() if path.rpartition(".")[2] not in NAMES}}


def _defaults(method: Mapping[str, Any]) -> dict[str, Any]:
    """What a description leaves out, as it was added after others had been written; nothing of a method that is not known here."""
    try:
        usual = left_out(type(restore(method, Method)))  # type: ignore[type-abstract]  # it makes a concrete one
    except UserError:
        return {}
    return {name: value for name, value in usual.items() if isinstance(value, str | int | float)}


NAMES = ("name", "kind", "class", "added")
"""Fields that say what something is, which its name says too."""
