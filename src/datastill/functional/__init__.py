"""Pure tensor mathematics. Imports nothing from the package but its errors; shapes are in the signatures."""

from __future__ import annotations

from datastill.functional.centralization import hinge_centralization, squared_centralization, squared_spread
from datastill.functional.covariances import covariance_matching, local_covariance
from datastill.functional.means import mean_matching

__all__ = [
    "covariance_matching",
    "hinge_centralization",
    "local_covariance",
    "mean_matching",
    "squared_centralization",
    "squared_spread",
]
