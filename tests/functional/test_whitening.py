"""The symmetric whitening matrix of a covariance."""

from __future__ import annotations

import numpy as np
import torch

from datastill.functional import zca


def covariance(features: int = 7, images: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    mixed = torch.randn(images, features, generator=generator, dtype=torch.float64) @ torch.randn(
        features, features, generator=generator, dtype=torch.float64
    )
    return torch.cov(mixed.mT)


def test_it_whitens_but_for_epsilon() -> None:
    known = covariance()
    matrix, inverse = zca(known, 0.1)
    identity = torch.eye(7, dtype=torch.float64)
    torch.testing.assert_close(matrix @ (known + 0.1 * identity) @ matrix, identity)
    torch.testing.assert_close(matrix @ inverse, identity)
    torch.testing.assert_close(matrix, matrix.mT)
    assert float(torch.linalg.eigvalsh(matrix).min()) > 0
    torch.testing.assert_close(zca(known, 1e-9)[0] @ known @ zca(known, 1e-9)[0], identity, rtol=1e-6, atol=1e-6)


def test_it_is_the_sum_over_directions() -> None:
    known = covariance(5)
    directions, variances, _ = np.linalg.svd(known.numpy())
    expected = np.zeros((5, 5))
    for number in range(5):
        for row in range(5):
            for column in range(5):
                expected[row, column] += directions[row, number] * directions[column, number] / np.sqrt(variances[number] + 0.1)
    torch.testing.assert_close(zca(known, 0.1)[0], torch.from_numpy(expected))


def test_a_value_that_never_varies_is_no_trouble() -> None:
    known = torch.zeros(3, 3, dtype=torch.float64)
    torch.testing.assert_close(zca(known, 0.25)[0], 2 * torch.eye(3, dtype=torch.float64))
