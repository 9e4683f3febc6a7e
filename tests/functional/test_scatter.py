"""Scatter and covariance distance against what is computed by hand and by NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from datastill.errors import UserError
from datastill.functional import covariance_distance, scatter


def test_scatter_of_four_points_by_hand() -> None:
    features = torch.tensor([[0.0, 0.0], [2.0, 0.0], [10.0, 4.0], [10.0, 4.0]])
    within, between = scatter(features, torch.tensor([0, 0, 2, 2]))
    assert float(within) == pytest.approx((1 + 1 + 0 + 0) / 4)
    assert float(between) == pytest.approx(4.5**2 + 2**2)


def test_the_two_scatters_add_up_to_the_variance() -> None:
    features = torch.randn(50, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(50) % 3
    within, between = scatter(features.float(), labels)
    assert float(within + between) == pytest.approx(float(features.var(0, correction=0).sum()), rel=1e-5)
    assert float(scatter(features.float() + 5, labels)[0]) == pytest.approx(float(within), rel=1e-4)


def test_covariance_distance_against_numpy() -> None:
    real, made = (torch.randn(count, 3, 2, 2, generator=torch.Generator().manual_seed(count)) for count in (9, 4))
    matrices = []
    for map in (real, made):
        centred = (map - map.mean(0)).flatten(2).numpy()
        matrices.append(sum(each @ each.T for each in centred) / len(centred))
    expected = np.linalg.norm(matrices[0] - matrices[1]) / np.linalg.norm(matrices[0])
    assert float(covariance_distance(real, made)) == pytest.approx(expected, rel=1e-5)
    assert float(covariance_distance(real, real)) == 0
    assert float(covariance_distance(real, made[:1].repeat(2, 1, 1, 1))) == pytest.approx(1)


def test_what_has_no_scatter_is_refused() -> None:
    with pytest.raises(UserError, match="at least one image"):
        scatter(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(UserError, match="at least two images"):
        covariance_distance(torch.zeros(2, 3, 1, 1), torch.zeros(1, 3, 1, 1))
