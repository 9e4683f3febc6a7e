from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.functional import arc_cosines, ridge_weights, tangent_kernel

GENERATOR = torch.Generator().manual_seed(3)
ONE = torch.randn(4, 5, dtype=torch.float64, generator=GENERATOR)
OTHER = torch.randn(3, 5, dtype=torch.float64, generator=GENERATOR)


def of_a_pair(x: list[float], y: list[float], hidden: int, bias: float) -> float:
    """The kernel of two inputs, layer by layer, in plain numbers."""

    def covariance(u: list[float], v: list[float]) -> float:
        return 2 * sum(a * b for a, b in zip(u, v, strict=True)) / len(u) + bias**2

    xx, xy, yy = covariance(x, x), covariance(x, y), covariance(y, y)
    tangent = xy
    for _ in range(hidden):
        angle = math.acos(max(-1.0, min(1.0, xy / math.sqrt(xx * yy))))
        relu = math.sqrt(xx * yy) * (math.sin(angle) + (math.pi - angle) * math.cos(angle)) / (2 * math.pi)
        xx, xy, yy = xx + bias**2, 2 * relu + bias**2, yy + bias**2
        tangent = xy + tangent * (math.pi - angle) / math.pi
    return tangent


@pytest.mark.parametrize(("cosine", "step", "relu"), [(1.0, 1.0, 1.0), (0.0, 0.5, 1 / math.pi), (-1.0, 0.0, 0.0)])
def test_arc_cosine_kernels_have_their_known_values(cosine: float, step: float, relu: float) -> None:
    found = arc_cosines(torch.tensor([[cosine]], dtype=torch.float64))
    assert [float(value) for value in found] == pytest.approx([step, relu], abs=1e-6)


@pytest.mark.parametrize(("hidden", "bias"), [(0, 0.0), (1, 0.0), (1, 0.1), (3, 0.3)])
def test_the_kernel_is_that_of_every_pair_apart(hidden: int, bias: float) -> None:
    expected = [[of_a_pair(x, y, hidden, bias) for y in OTHER.tolist()] for x in ONE.tolist()]
    found = tangent_kernel(ONE, OTHER, hidden=hidden, bias=bias)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    same = tangent_kernel(ONE, ONE, hidden=hidden, bias=bias)
    torch.testing.assert_close(same, same.mT)
    assert float(torch.linalg.eigvalsh(same).min()) > -1e-9


def test_the_kernel_is_the_limit_of_inner_products_of_gradients_of_a_wide_network() -> None:
    width, bias, generator = 20_000, 0.5, torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()

    parameters = [drawn(width, 5), drawn(width), drawn(width), drawn(1)]
    first, shifts, second, shift = parameters

    def gradient(x: Tensor) -> Tensor:
        hidden = torch.relu(math.sqrt(2 / 5) * first @ x + bias * shifts)
        output = math.sqrt(2 / width) * second @ hidden + bias * shift[0]
        return torch.cat([each.flatten() for each in torch.autograd.grad(output, parameters)])

    one, other = (torch.stack([gradient(x) for x in inputs]) for inputs in (ONE, OTHER))
    torch.testing.assert_close(one @ other.mT, tangent_kernel(ONE, OTHER, hidden=1, bias=bias), rtol=0.05, atol=0.05)


def test_gradients_of_a_regression_agree_with_finite_differences_also_on_the_diagonal() -> None:
    labels = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def predicted(images: Tensor, labels: Tensor) -> Tensor:
        weights = ridge_weights(tangent_kernel(images, images, hidden=2, bias=0.1), labels, ridge=1e-3, relative=True)
        return tangent_kernel(OTHER, images, hidden=2, bias=0.1) @ weights

    assert torch.autograd.gradcheck(predicted, (ONE.clone().requires_grad_(), labels.requires_grad_()), atol=1e-4)


@pytest.mark.parametrize(("ridge", "relative"), [(1.0, False), (1 / 3, True)])
def test_the_weights_of_two_images_that_have_nothing_in_common(ridge: float, relative: bool) -> None:
    kernel, labels = torch.diag(torch.tensor([2.0, 4.0], dtype=torch.float64)), torch.eye(2, dtype=torch.float64)
    found = ridge_weights(kernel, labels, ridge=ridge, relative=relative)
    torch.testing.assert_close(found, torch.diag(torch.tensor([1 / 3, 1 / 5], dtype=torch.float64)))


def test_a_kernel_that_is_none_is_refused() -> None:
    kernel = torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=torch.float64)
    with pytest.raises(UserError, match="not positive definite with a ridge of 1e-06: use a larger `ridge`"):
        ridge_weights(kernel, torch.eye(2, dtype=torch.float64), ridge=1e-6, relative=False)
