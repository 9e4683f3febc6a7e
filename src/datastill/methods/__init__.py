"""Methods by name, whatever their kind."""

from __future__ import annotations

from datastill.kinds import DistributionMatching, Method, Stepper
from datastill.methods.grammar import METHODS, NAMES, kind_of, method, published_of
from datastill.methods.lookup import check_lookup, resolved

__all__ = ["METHODS", "NAMES", "DistributionMatching", "Method", "Stepper", "check_lookup", "kind_of", "method", "published_of", "resolved"]
