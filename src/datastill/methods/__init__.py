"""Methods: named compositions of terms and encoders."""

from __future__ import annotations

from datastill.methods.distribution_matching import DistributionMatching
from datastill.methods.grammar import METHODS, method
from datastill.methods.method import Method, Stepper

__all__ = ["METHODS", "DistributionMatching", "Method", "Stepper", "method"]
