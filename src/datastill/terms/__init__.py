"""Terms: what a distribution-matching loss is summed from."""

from __future__ import annotations

from datastill.terms.attention_matching import AttentionMatching
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
    )
}
"""Every term by its name in a method's grammar."""

BUNDLES: dict[str, tuple[str, ...]] = {"iid": ("cc", "cm")}
"""Names that stand for several terms."""

__all__ = [
    "BUNDLES",
    "TERMS",
    "AttentionMatching",
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
    "target_of",
]
