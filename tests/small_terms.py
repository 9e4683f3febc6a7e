"""Terms between two batches of features that are all in memory."""

from __future__ import annotations

from torch import Tensor

from datastill.networks import Features
from datastill.terms import Target, Term, target_of


def between(term: Term, real: Features, synthetic: Features) -> Tensor:
    """The value of a term, whose target is taken from real features if it takes any."""
    target: Target = {} if term.source == "none" else target_of(term, real)
    return term(target, synthetic)
