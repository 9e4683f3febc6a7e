"""Pure tensor mathematics. Imports nothing from the package but its errors; shapes are in the signatures."""

from __future__ import annotations

from datastill.functional.attention import attention_matching, spatial_attention
from datastill.functional.centralization import (
    centre_and_spread,
    hinge_centralization,
    joined_spreads,
    mean_spread,
    relative_centralization,
    squared_centralization,
    squared_spread,
)
from datastill.functional.characteristic import characteristic_function, characteristic_matching, frequencies
from datastill.functional.covariances import covariance_matching, joined_moments, local_covariance, local_moments
from datastill.functional.discrimination import centre_discrimination
from datastill.functional.gradients import gradient_distance
from datastill.functional.kernels import kernel_matching, squared_distances
from datastill.functional.means import joined_means, mean_matching
from datastill.functional.membership import confidence, likelihood_ratios
from datastill.functional.regression import arc_cosines, ridge_weights, tangent_kernel
from datastill.functional.robustness import augmentation_robustness, label_robustness
from datastill.functional.scatter import covariance_distance, scatter
from datastill.functional.selection import farthest_first_order, forgetting_counts, herding_order
from datastill.functional.whitening import zca

__all__ = [
    "arc_cosines",
    "attention_matching",
    "augmentation_robustness",
    "centre_and_spread",
    "centre_discrimination",
    "characteristic_function",
    "characteristic_matching",
    "confidence",
    "covariance_distance",
    "covariance_matching",
    "farthest_first_order",
    "forgetting_counts",
    "frequencies",
    "gradient_distance",
    "herding_order",
    "hinge_centralization",
    "joined_means",
    "joined_moments",
    "joined_spreads",
    "kernel_matching",
    "label_robustness",
    "likelihood_ratios",
    "local_covariance",
    "local_moments",
    "mean_matching",
    "mean_spread",
    "relative_centralization",
    "ridge_weights",
    "scatter",
    "spatial_attention",
    "squared_centralization",
    "squared_distances",
    "squared_spread",
    "tangent_kernel",
    "zca",
]
