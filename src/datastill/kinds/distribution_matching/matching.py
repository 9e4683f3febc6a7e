"""Terms on features, summed, and a step of SGD on the pixels: the method itself."""

from __future__ import annotations

from dataclasses import dataclass

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.kinds.distribution_matching.composition import Composition
from datastill.kinds.distribution_matching.stepper import MatchingStepper
from datastill.kinds.method import Stepper


@dataclass(frozen=True)
class DistributionMatching(Composition):
    """A `Composition` of terms and encoders that can be run.

    Add a term with ``method + term``.

    Example:
        >>> from datastill.terms import CovarianceMatching, MeanMatching
        >>> (DistributionMatching("mine", terms=(MeanMatching(),)) + CovarianceMatching()).name
        'mine+cm'
    """

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Open the encoders and initialise the pixels (see `Method.open`)."""
        return MatchingStepper(self, data, engine, ipc, seed)
