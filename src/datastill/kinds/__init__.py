"""What a step is, one module or package for each kind of method; and what the kinds share."""

from __future__ import annotations

from datastill.kinds.canvas import LEARNING_RATE, Canvas
from datastill.kinds.distribution_matching import DistributionMatching
from datastill.kinds.gradient_matching import GradientMatching
from datastill.kinds.kernel_regression import ClosedFormRegression, KernelRegression, PoolRegression
from datastill.kinds.method import Method, Stepper
from datastill.kinds.selection import EmbeddingSelection, Selection
from datastill.kinds.trajectory_matching import TrajectoryMatching
from datastill.kinds.unrolled import UnrolledTraining

__all__ = [
    "LEARNING_RATE",
    "Canvas",
    "ClosedFormRegression",
    "DistributionMatching",
    "EmbeddingSelection",
    "GradientMatching",
    "KernelRegression",
    "Method",
    "PoolRegression",
    "Selection",
    "Stepper",
    "TrajectoryMatching",
    "UnrolledTraining",
]
