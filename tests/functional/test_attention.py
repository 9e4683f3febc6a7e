from __future__ import annotations

import math

import jaxtyping
import pytest
import torch
from torch import Tensor

from datastill.functional import attention_matching, spatial_attention


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# one class, one image, two channels, two positions: sums of powers (3 + 1, 2 + 1) and (81 + 1, 16 + 1)
BY_HAND = torch.tensor([[[[[3.0, -2.0]], [[1.0, 1.0]]]]], dtype=torch.float64)


@pytest.mark.parametrize(("power", "sums"), [(1, (4, 3)), (2, (10, 5)), (4, (82, 17))])
def test_by_hand(power: int, sums: tuple[int, int]) -> None:
    expected = torch.tensor([[[entry / math.hypot(*sums) for entry in sums]]], dtype=torch.float64)
    torch.testing.assert_close(spatial_attention(BY_HAND, power=power), expected)


def test_the_distance_by_hand() -> None:
    # attention (1, 0) and (.6, .8) of the real images, (0, 1) of the synthetic one: |(.8, .4) - (0, 1)|^2
    real = torch.tensor([[[[[5.0, 0.0]]], [[[3.0, 4.0]]]]])
    synthetic = torch.tensor([[[[[0.0, 0.1]]]]])
    assert float(attention_matching(spatial_attention(real, power=1).mean(1), synthetic, power=1)) == pytest.approx(1.0)


def test_against_a_loop() -> None:
    real, synthetic = random(2, 3, 4, 2, 3), random(2, 2, 4, 2, 3, seed=1)

    def attention(image: Tensor) -> list[float]:
        sums = [sum(abs(float(image[channel, row, column])) ** 4 for channel in range(4)) for row in range(2) for column in range(3)]
        return [entry / math.sqrt(sum(other**2 for other in sums)) for entry in sums]

    expected = 0.0
    for label in range(2):
        means = [
            [sum(entries) / len(entries) for entries in zip(*map(attention, batch[label]), strict=True)] for batch in (real, synthetic)
        ]
        expected += sum((one - other) ** 2 for one, other in zip(*means, strict=True))
    assert float(attention_matching(spatial_attention(real, power=4).mean(1), synthetic, power=4)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("power", [1, 2, 4])
def test_attention_is_of_length_one_whatever_the_scale(power: int) -> None:
    map = random(3, 4, 5, 2, 2)
    attention = spatial_attention(map, power=power)
    torch.testing.assert_close(attention.norm(dim=2), torch.ones(3, 4, dtype=torch.float64))
    torch.testing.assert_close(spatial_attention(-7 * map, power=power), attention)
    assert float(attention.min()) >= 0


def test_a_map_of_zeros_has_no_attention_and_finite_gradients() -> None:
    map = torch.zeros(1, 1, 3, 2, 2, requires_grad=True)
    attention = spatial_attention(map, power=4)
    assert bool((attention == 0).all())
    (gradient,) = torch.autograd.grad(attention.sum(), map)
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("power", [1, 4])
def test_gradients(power: int) -> None:
    inputs = random(2, 2).requires_grad_(), random(2, 2, 2, 2, 1, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda mean, synthetic: attention_matching(mean, synthetic, power=power), inputs)


def test_what_is_no_map_is_refused() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        attention_matching(random(2, 4), random(2, 2, 4), power=1)
