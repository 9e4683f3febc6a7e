from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.functional import covariance_matching, joined_moments, local_covariance, local_moments


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_by_hand() -> None:
    # two images, two channels, one row of two positions; centred: +-(1, 2) in the first channel, +-(0, 3) in the second
    map = torch.tensor([[[[[1.0, 2.0]], [[5.0, 9.0]]], [[[3.0, 6.0]], [[5.0, 3.0]]]]])
    # 1/2 sum X X^T = [[1 + 4, 0 - 6], [0 - 6, 0 + 9]]
    assert local_covariance(map).tolist() == [[[5.0, -6.0], [-6.0, 9.0]]]


def test_against_a_loop() -> None:
    map = random(2, 3, 4, 2, 5)
    expected = np.zeros((2, 4, 4))
    for label in range(2):
        flat = map[label].numpy().reshape(3, 4, 10)
        mean = flat.mean(0)
        for image in range(3):
            expected[label] += (flat[image] - mean) @ (flat[image] - mean).T / 3
    np.testing.assert_allclose(local_covariance(map).numpy(), expected, rtol=1e-12)


def test_one_position_is_the_covariance_of_the_images() -> None:
    map = random(1, 9, 4, 1, 1)
    expected = torch.cov(map.flatten(2)[0].T, correction=0)
    torch.testing.assert_close(local_covariance(map)[0], expected)


def test_symmetric_and_positive() -> None:
    covariance = local_covariance(random(3, 4, 5, 2, 2))
    torch.testing.assert_close(covariance, covariance.mT)
    assert float(torch.linalg.eigvalsh(covariance).min()) > -1e-12


def test_a_shift_of_all_images_changes_nothing_and_a_scale_counts_squared() -> None:
    map = random(2, 4, 3, 2, 2)
    torch.testing.assert_close(local_covariance(map + random(2, 1, 3, 2, 2, seed=1)), local_covariance(map))
    torch.testing.assert_close(local_covariance(3 * map), 9 * local_covariance(map))


def test_matching_is_the_squared_distance_summed_over_classes() -> None:
    real, synthetic = random(3, 6, 4, 2, 2), random(3, 2, 4, 2, 2, seed=1)
    expected = sum(float(((local_covariance(real)[label] - local_covariance(synthetic)[label]).numpy() ** 2).sum()) for label in range(3))
    assert float(covariance_matching(local_covariance(real), synthetic)) == pytest.approx(expected, rel=1e-12)
    assert float(covariance_matching(local_covariance(real), real.flip(1))) == pytest.approx(0, abs=1e-24)
    assert float(covariance_matching(local_covariance(real), 2 * real)) == pytest.approx(9 * float(local_covariance(real).square().sum()))


def test_gradients() -> None:
    inputs = random(2, 2, 2).requires_grad_(), random(2, 2, 2, 2, 1, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(covariance_matching, inputs)


def test_a_single_image_is_refused_with_its_shape() -> None:
    with pytest.raises(UserError, match=r"at least two images per class, got a map of shape \(2, 1, 3, 4, 4\)"):
        local_covariance(random(2, 1, 3, 4, 4))
    with pytest.raises(UserError, match="at least two images"):
        covariance_matching(random(2, 3, 3), random(2, 1, 3, 4, 4))


def test_moments_of_parts_join_to_those_of_all_images_and_a_single_image_has_no_covariance() -> None:
    map = random(2, 7, 4, 2, 3)
    single = local_moments(map[:, :1])
    assert float(single[1].abs().max()) == 0
    joined = joined_moments(single, local_moments(map[:, 1:]), 6 / 7)
    torch.testing.assert_close(joined[1], local_covariance(map), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(joined[0], map.mean(1).flatten(2), rtol=1e-12, atol=1e-12)


def test_joined_moments_are_as_accurate_in_32_bits_as_two_passes_where_plain_sums_are_not() -> None:
    """Far from zero, ``E[X X^T] - Xbar Xbar^T`` loses its digits in the difference of two large numbers."""
    map = random(1, 64, 4, 2, 2) + 100
    exact = local_covariance(map)

    def error(covariance: Tensor) -> float:
        return float((covariance.double() - exact).abs().max() / exact.abs().max())

    parts = [local_moments(part.float()) for part in torch.split(map, 8, 1)]
    joined = parts[0]
    for number, part in enumerate(parts[1:], start=1):
        joined = joined_moments(joined, part, 1 / (number + 1))
    flat = map.float().flatten(3).transpose(1, 2).flatten(2)
    mean = map.float().mean(1).flatten(2)
    assert error(joined[1]) < 3 * error(local_covariance(map.float())) + 1e-6
    assert error(flat @ flat.mT / 64 - mean @ mean.mT) > 100 * error(joined[1])
