"""The kind of method that learns a set on which kernel ridge regression predicts real images."""

from __future__ import annotations

from datastill.kinds.kernel_regression.closed_form import ClosedFormRegression
from datastill.kinds.kernel_regression.composition import KernelRegression
from datastill.kinds.kernel_regression.pool import PoolRegression

__all__ = ["ClosedFormRegression", "KernelRegression", "PoolRegression"]
