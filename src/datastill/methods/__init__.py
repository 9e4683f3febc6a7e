"""Methods by name, whatever their kind."""

from __future__ import annotations

from datastill.kinds import DistributionMatching, Method, Stepper
from datastill.methods.grammar import METHODS, NAMES, method

__all__ = ["METHODS", "NAMES", "DistributionMatching", "Method", "Stepper", "method"]
