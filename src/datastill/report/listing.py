"""The names that commands take, each with its line, derived from the tables they are registered in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from datastill.data import CATALOGUE, ClassImages, DataSet
from datastill.errors import UserError, unknown
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.sets import kept_sets, results_folder
from datastill.logs import logger
from datastill.methods import NAMES as METHODS
from datastill.methods import Method, method
from datastill.methods.references import paper
from datastill.networks import NETWORKS, Network, build
from datastill.plugins import origin_of
from datastill.teachers.pool import pretraining_cost
from datastill.terms import BUNDLES
from datastill.terms import NAMES as TERMS

log = logger(__name__)

IPC = 10
"""Images per class at which the cost of a method is told, on images of CIFAR-10's sizes."""


def rows(what: str) -> list[tuple[str, str]]:
    """Name and summary of every entry.

    Args:
        what: "datasets", "networks", "methods", "terms" or "experiments".

    Raises:
        UserError: If it is none of these.

    Example:
        >>> [name for name, _ in rows("networks")]
        ['convnet', 'alexnet', 'vgg11', 'resnet18', 'convnet-bn']
    """
    tables: dict[str, Callable[[], list[tuple[str, str]]]] = {
        "datasets": lambda: [(name, source.summary) for name, source in CATALOGUE.items()],
        "networks": lambda: [(name, network.summary) for name, network in NETWORKS.items()],
        "methods": _methods,
        "terms": lambda: [
            *((name, f"{term.summary}{_origin('term', name)}") for name, term in TERMS.all().items()),
            *((name, f"stands for {'+'.join(terms)}") for name, terms in BUNDLES.items()),
        ],
        "experiments": lambda: [(name, experiment.title) for name, experiment in EXPERIMENTS.items()],
    }
    if what not in tables:
        raise unknown("list", what, tables)
    return tables[what]()


def kept(results: Path | None = None) -> list[tuple[str, str]]:
    """Name and summary of every set that is kept beside its result.

    Args:
        results: The folder of results; by default see `datastill.experiments.sets.results_folder`.

    Raises:
        UserError: If there is none.
    """
    found = kept_sets(results)
    if not found:
        raise UserError(f"no sets are kept in {results_folder(results)}: give the folder of results with `results`")
    return [(name, f"{each.summary}; {each.folder}") for name, each in found.items()]


def _methods() -> list[tuple[str, str]]:
    """The methods of each kind together, kinds and methods in the order of the table, with the paper and the cost of each."""
    found: dict[str, list[tuple[str, str]]] = {}
    data = _sizes_of_cifar10()
    for name, function in METHODS.all().items():
        try:
            composed = method(name, data="cifar10", ipc=IPC)
        except UserError as error:  # a plug-in that cannot be used, which is not among the names then
            log.warning("%s", error)
            continue
        cited = f" ({where})" if (where := paper(name)) else ""
        said = f"{composed.kind}: {_first_line(function.__doc__)}{cited}{_origin('method', name)} {_cost(composed, data)}"
        found.setdefault(composed.kind, []).append((name, said))
    return [row for of_kind in found.values() for row in of_kind]


def _sizes_of_cifar10() -> DataSet:
    """A set of the sizes of CIFAR-10 whose images are all one, for what depends on sizes alone."""
    classes, channels, side = 10, 3, 32

    def split(images: int) -> ClassImages:
        one = torch.zeros(1, channels, side, side, dtype=torch.uint8)
        return ClassImages(one, torch.zeros(classes * images, dtype=torch.int64), (images,) * classes)

    names = tuple(str(label) for label in range(classes))
    return DataSet("cifar10", split(4500), split(500), split(1000), names, (0.5,) * 3, (0.25,) * 3, flip=True, fingerprint="none")


def _cost(composed: Method, data: DataSet) -> str:
    """What a step of a method takes, or the only one, and what the networks take that are trained once for a data set."""
    each = f"{_amount(composed.cost(data, IPC))} {'in all' if composed.steps == 1 else 'a step'}"
    first = sum(pretraining_cost(data, _network(part.network, data), part.recipe) * part.count for part in composed.missing(data))
    return f"{each}{f', after {_amount(first)} of training networks once' if first else ''} (CIFAR-10, IPC {IPC})."


def _network(name: str, data: DataSet) -> Network:
    return build(name, channels=data.channels, classes=data.classes, size=data.size)


def _amount(operations: float) -> str:
    unit, many = next(((unit, many) for unit, many in (("P", 1e15), ("T", 1e12), ("G", 1e9)) if operations >= many), ("", 1))
    return f"{operations / many:.3g} {unit}FLOP"


def _first_line(text: str | None) -> str:
    return next(iter((text or "").strip().splitlines()), "")


def _origin(what: str, name: str) -> str:
    package = origin_of(what, name)
    return f" [{package}]" if package else ""
