"""Terms: what a distribution-matching loss is summed from."""

from __future__ import annotations

import inspect
from typing import Any

from datastill.networks import FIELDS
from datastill.plugins import Names
from datastill.terms.attention_matching import AttentionMatching
from datastill.terms.calibration import Calibration
from datastill.terms.characteristic_matching import CharacteristicMatching
from datastill.terms.class_centralization import ClassCentralization
from datastill.terms.covariance_matching import CovarianceMatching
from datastill.terms.cross_entropy import CrossEntropy
from datastill.terms.discrimination import Discrimination
from datastill.terms.gathering import Gathering, target_of
from datastill.terms.kernel_matching import KernelMatching
from datastill.terms.layer_matching import LayerMatching
from datastill.terms.mean_matching import MeanMatching
from datastill.terms.term import Target, Term

TERMS: dict[str, type[Term]] = {
    term.name: term
    for term in (
        MeanMatching,
        CovarianceMatching,
        ClassCentralization,
        CrossEntropy,
        AttentionMatching,
        LayerMatching,
        Discrimination,
        KernelMatching,
        CharacteristicMatching,
        Calibration,
    )
}
"""Every term of this package by its name in a method's grammar."""

BUNDLES: dict[str, tuple[str, ...]] = {"iid": ("cc", "cm")}
"""Names that stand for several terms."""


def added_as(term: str, name: str) -> str:
    """What brought a term to a method: itself, or a name of `BUNDLES`.

    Example:
        >>> added_as("cc", "dm+iid"), added_as("cc", "dm+cc")
        ('iid', 'cc')
    """
    added = name.split("+")[1:]
    return next((short for short, terms in BUNDLES.items() if term in terms and short in added and term not in added), term)


def _term(name: str, offered: Any) -> type[Term]:
    if not isinstance(offered, type) or not issubclass(offered, Term) or inspect.isabstract(offered):
        raise ValueError(f"expected a class that derives from datastill.Term and can be called, got {offered!r}")
    if missing := [attribute for attribute in ("name", "summary", "reads") if not hasattr(offered, attribute)]:
        raise ValueError(f"{offered.__qualname__} lacks {' and '.join(missing)}")
    if offered.name != name:
        raise ValueError(f"{offered.__qualname__} is called '{offered.name}': expected the same name")
    if not set(offered.reads) <= set(FIELDS):
        raise ValueError(f"{offered.__qualname__} reads {offered.reads!r}, but features have {', '.join(FIELDS)}")
    return offered


NAMES: Names[type[Term]] = Names("term", TERMS, _term, reserved=BUNDLES)
"""The terms of this package and of installed plug-ins."""

__all__ = [
    "BUNDLES",
    "NAMES",
    "TERMS",
    "AttentionMatching",
    "Calibration",
    "CharacteristicMatching",
    "ClassCentralization",
    "CovarianceMatching",
    "CrossEntropy",
    "Discrimination",
    "Gathering",
    "KernelMatching",
    "LayerMatching",
    "MeanMatching",
    "Target",
    "Term",
    "added_as",
    "target_of",
]
