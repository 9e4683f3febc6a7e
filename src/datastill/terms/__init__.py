"""Terms: what a distribution-matching loss is summed from."""

from __future__ import annotations

from datastill.terms.class_centralization import ClassCentralization
from datastill.terms.covariance_matching import CovarianceMatching
from datastill.terms.mean_matching import MeanMatching
from datastill.terms.term import Term

TERMS: dict[str, type[Term]] = {term.name: term for term in (MeanMatching, CovarianceMatching, ClassCentralization)}
"""Every term by its name in a method's grammar."""

BUNDLES: dict[str, tuple[str, ...]] = {"iid": ("cc", "cm")}
"""Names that stand for several terms."""

__all__ = ["BUNDLES", "TERMS", "ClassCentralization", "CovarianceMatching", "MeanMatching", "Term"]
