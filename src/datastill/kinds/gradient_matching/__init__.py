"""The kind of method that matches gradients."""

from __future__ import annotations

from datastill.kinds.gradient_matching.matching import GradientMatching
from datastill.kinds.gradient_matching.stepper import GradientStepper

__all__ = ["GradientMatching", "GradientStepper"]
