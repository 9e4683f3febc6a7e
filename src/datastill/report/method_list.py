"""All methods in columns, those of each kind together: the paper, what a step costs, what is trained once, and what the method does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch

from datastill.data import ClassImages, DataSet
from datastill.errors import UserError
from datastill.logs import logger
from datastill.methods import NAMES, Method, method
from datastill.methods.references import paper
from datastill.networks import Network, build
from datastill.plugins import origin_of
from datastill.teachers.pool import pretraining_cost

log = logger(__name__)

IPC = 10
"""Images per class at which costs are told, on images of CIFAR-10's sizes."""
HEAD = ("method", "paper", "cost", "training once")
COSTS = f"Costs are floating-point operations on CIFAR-10 at IPC {IPC}; networks that are trained once are kept for later runs."


@dataclass(frozen=True)
class Entry:
    """A method in the list.

    Attributes:
        name: In the grammar of `datastill.method`.
        kind: What it does to get a set.
        paper: Where and when it was published; empty for none.
        cost: Of a step, or of the only one.
        once: What it takes to train the networks that it reads, once for a data set; empty for none.
        summary: The first line of its docstring, with the package it comes from where that is another.
    """

    name: str
    kind: str
    paper: str
    cost: str
    once: str
    summary: str


def entries() -> list[Entry]:
    """The methods of each kind together, kinds and methods in the order of the table."""
    found: dict[str, list[Entry]] = {}
    data = _sizes_of_cifar10()
    for name, function in NAMES.all().items():
        try:
            composed = method(name, data="cifar10", ipc=IPC)
        except UserError as error:  # a plug-in that cannot be used, which is not among the names then
            log.warning("%s", error)
            continue
        entry = Entry(name, composed.kind, paper(name), _cost(composed, data), _once(composed, data), _summary(name, function.__doc__))
        found.setdefault(composed.kind, []).append(entry)
    return [entry for of_kind in found.values() for entry in of_kind]


def lines(listed: Iterable[Entry]) -> Iterator[str]:
    """The names of the columns, then headings of kinds, and below them a line for every method.

    Args:
        listed: Methods of one kind after one another.
    """
    listed = list(listed)
    columns = [(entry.name, entry.paper, entry.cost, entry.once) for entry in listed]
    widths = [max(map(len, column)) for column in zip(HEAD, *columns, strict=True)]
    yield _line(HEAD, widths, "what it does")
    for kind, group in groupby(listed, lambda entry: entry.kind):
        yield kind
        for entry in group:
            yield _line((entry.name, entry.paper, entry.cost, entry.once), widths, entry.summary)
    yield COSTS


def _line(cells: Sequence[str], widths: Sequence[int], summary: str) -> str:
    return "  ".join(["", *(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)), summary])


def _sizes_of_cifar10() -> DataSet:
    """A set of the sizes of CIFAR-10 with one blank image repeated, for what depends on sizes alone."""
    classes, channels, side = 10, 3, 32

    def split(images: int) -> ClassImages:
        one = torch.zeros(1, channels, side, side, dtype=torch.uint8)
        return ClassImages(one, torch.zeros(classes * images, dtype=torch.int64), (images,) * classes)

    names = tuple(str(label) for label in range(classes))
    return DataSet("cifar10", split(4500), split(500), split(1000), names, (0.5,) * 3, (0.25,) * 3, flip=True, fingerprint="none")


def _cost(composed: Method, data: DataSet) -> str:
    return f"{_amount(composed.cost(data, IPC))} {'in all' if composed.steps == 1 else 'a step'}"


def _once(composed: Method, data: DataSet) -> str:
    first = sum(pretraining_cost(data, _network(part.network, data), part.recipe) * part.count for part in composed.missing(data))
    return _amount(first) if first else ""


def _network(name: str, data: DataSet) -> Network:
    return build(name, channels=data.channels, classes=data.classes, size=data.size)


def _amount(operations: float) -> str:
    unit, many = next(((unit, many) for unit, many in (("P", 1e15), ("T", 1e12), ("G", 1e9)) if operations >= many), ("", 1))
    return f"{operations / many:.3g} {unit}FLOP"


def _summary(name: str, docstring: str | None) -> str:
    first = next(iter((docstring or "").strip().splitlines()), "")
    package = origin_of("method", name)
    return f"{first} [{package}]" if package else first
