from __future__ import annotations

import math

import jaxtyping
import pytest
import torch
from torch import Tensor

from datastill.functional import gradient_distance

EXACT = 1e-300


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_by_hand() -> None:
    real = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], dtype=torch.float64)
    synthetic = torch.tensor([[4.0, 3.0], [0.0, 5.0], [0.0, -1.0], [7.0, 7.0]], dtype=torch.float64)
    # cosines 24/25, 0, -1 and 1
    assert float(gradient_distance(real, synthetic, epsilon=EXACT)) == pytest.approx(1 / 25 + 1 + 2 + 0, rel=1e-12)


def test_against_a_loop() -> None:
    real, synthetic = random(5, 7), random(5, 7, seed=1)
    expected = 0.0
    for row in range(5):
        product = sum(float(real[row, place] * synthetic[row, place]) for place in range(7))
        lengths = math.hypot(*real[row].tolist()) * math.hypot(*synthetic[row].tolist())
        expected += 1 - product / (lengths + 0.01)
    assert float(gradient_distance(real, synthetic, epsilon=0.01)) == pytest.approx(expected, rel=1e-12)


def test_zero_for_the_same_direction_however_long() -> None:
    real = random(4, 6)
    assert float(gradient_distance(real, 3 * real, epsilon=EXACT)) == pytest.approx(0, abs=1e-14)
    assert float(gradient_distance(real, -real, epsilon=EXACT)) == pytest.approx(8)


def test_a_row_of_zeros_counts_one_and_pulls_nowhere() -> None:
    real, synthetic = random(3, 4), random(3, 4, seed=1)
    real[0], synthetic[1] = 0, 0
    synthetic.requires_grad_()
    distance = gradient_distance(real, synthetic)
    rest = gradient_distance(real[2:], synthetic.detach()[2:])
    torch.testing.assert_close(distance.detach(), 2 + rest)
    (pull,) = torch.autograd.grad(distance, synthetic)
    assert bool(pull.isfinite().all())
    assert not pull[0].any()
    # one that is zero is drawn along the real row by its length over epsilon alone
    torch.testing.assert_close(pull[1], -real[1] / 1e-6)
    assert bool(pull[2].any())


def test_short_rows_count_as_different() -> None:
    real = torch.tensor([[1e-3, 0.0]], dtype=torch.float64)
    assert float(gradient_distance(real, real, epsilon=1e-6)) == pytest.approx(0.5)


def test_layers_add_up() -> None:
    real, synthetic = random(6, 5), random(6, 5, seed=1)
    parts = [gradient_distance(real[row : row + 1], synthetic[row : row + 1]) for row in range(6)]
    torch.testing.assert_close(gradient_distance(real, synthetic), torch.stack(parts).sum())


def test_gradients() -> None:
    assert torch.autograd.gradcheck(gradient_distance, (random(3, 4).requires_grad_(), random(3, 4, seed=1).requires_grad_()))


@pytest.mark.parametrize("shape", [(3, 2), (2, 5), (2, 2, 2)])
def test_other_layers_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        gradient_distance(random(2, 4), random(*shape))
