"""The kind of method that matches distributions."""

from __future__ import annotations

from datastill.kinds.distribution_matching.composition import Composition
from datastill.kinds.distribution_matching.matching import DistributionMatching
from datastill.kinds.distribution_matching.stepper import MatchingStepper

__all__ = ["Composition", "DistributionMatching", "MatchingStepper"]
