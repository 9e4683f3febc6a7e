"""The names that commands take, each with its line, derived from the tables they are registered in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from datastill.data import CATALOGUE
from datastill.errors import UserError, unknown
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.sets import kept_sets, results_folder
from datastill.networks import NETWORKS
from datastill.plugins import origin_of
from datastill.report import method_list
from datastill.terms import BUNDLES
from datastill.terms import NAMES as TERMS


def rows(what: str) -> list[tuple[str, str]]:
    """Name and summary of every entry.

    Args:
        what: "datasets", "networks", "terms" or "experiments".

    Raises:
        UserError: If it is none of these.

    Example:
        >>> [name for name, _ in rows("networks")]
        ['convnet', 'alexnet', 'vgg11', 'resnet18', 'convnet-bn']
    """
    tables: dict[str, Callable[[], list[tuple[str, str]]]] = {
        "datasets": lambda: [(name, source.summary) for name, source in CATALOGUE.items()],
        "networks": lambda: [(name, network.summary) for name, network in NETWORKS.items()],
        "terms": lambda: [
            *((name, f"{term.summary}{_origin('term', name)}") for name, term in TERMS.all().items()),
            *((name, f"stands for {'+'.join(terms)}") for name, terms in BUNDLES.items()),
        ],
        "experiments": lambda: [(name, experiment.title) for name, experiment in EXPERIMENTS.items()],
    }
    if what not in tables:
        raise unknown("list", what, tables)
    return tables[what]()


def lines(what: str, results: Path | None = None) -> list[str]:
    """What the command prints: methods in columns by kind, and of all else a name and its summary.

    Args:
        what: As for `rows`, or "methods" or "sets".
        results: See `kept`.
    """
    if what == "methods":
        return list(method_list.lines(method_list.entries()))
    entries = kept(results) if what == "sets" else rows(what)
    width = max((len(name) for name, _ in entries), default=0)
    return [f"{name:<{width}}  {summary}" for name, summary in entries]


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


def _origin(what: str, name: str) -> str:
    package = origin_of(what, name)
    return f" [{package}]" if package else ""
