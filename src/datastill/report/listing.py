"""The names that commands take, each with its line, derived from the tables they are registered in."""

from __future__ import annotations

from datastill.data import CATALOGUE
from datastill.errors import unknown
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.methods import METHODS, method
from datastill.networks import NETWORKS
from datastill.terms import BUNDLES, TERMS


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
    tables = {
        "datasets": [(name, source.summary) for name, source in CATALOGUE.items()],
        "networks": [(name, network.summary) for name, network in NETWORKS.items()],
        "methods": [(name, f"{method(name).kind}: {_first_line(function.__doc__)}") for name, function in METHODS.items()],
        "terms": [
            *((name, term.summary) for name, term in TERMS.items()),
            *((name, f"stands for {'+'.join(terms)}") for name, terms in BUNDLES.items()),
        ],
        "experiments": [(name, experiment.title) for name, experiment in EXPERIMENTS.items()],
    }
    if what not in tables:
        raise unknown("list", what, tables)
    return tables[what]


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0]
