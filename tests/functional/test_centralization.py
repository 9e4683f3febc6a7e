from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.functional import hinge_centralization, squared_centralization, squared_spread


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# one class of three images about (2, 1): squared distances 5, 1 and 4; its twin, scaled by two, 20, 4 and 16
BY_HAND = torch.tensor([[[0.0, 0.0], [2.0, 2.0], [4.0, 1.0]], [[0.0, 0.0], [4.0, 4.0], [8.0, 2.0]]])


def test_by_hand() -> None:
    assert squared_spread(BY_HAND).tolist() == [[5, 1, 4], [20, 4, 16]]
    assert float(squared_centralization(BY_HAND)) == 50


@pytest.mark.parametrize(("alpha", "beta"), [(0.02, 0.7), (0.1, 1.5), (0.02, 100.0)])
def test_the_hinge_by_hand(alpha: float, beta: float) -> None:
    expected = sum(max(0.0, math.exp(alpha * distance) - beta) for distance in (5, 1, 4, 20, 4, 16))
    assert float(hinge_centralization(BY_HAND.double(), alpha=alpha, beta=beta)) == pytest.approx(expected, rel=1e-12)


def test_against_a_loop() -> None:
    synthetic = random(3, 4, 5)
    for label in range(3):
        centre = [sum(float(synthetic[label, image, feature]) for image in range(4)) / 4 for feature in range(5)]
        for image in range(4):
            expected = sum((float(synthetic[label, image, feature]) - centre[feature]) ** 2 for feature in range(5))
            assert float(squared_spread(synthetic)[label, image]) == pytest.approx(expected, rel=1e-12)


def test_a_point_has_no_spread_and_a_shift_changes_nothing() -> None:
    point = random(2, 1, 3).expand(2, 4, 3)
    assert float(squared_centralization(point)) == pytest.approx(0, abs=1e-28)
    assert float(hinge_centralization(point, alpha=0.5, beta=1.1)) == 0
    synthetic = random(2, 4, 3)
    torch.testing.assert_close(squared_spread(synthetic + random(2, 1, 3, seed=1)), squared_spread(synthetic))


def test_the_hinge_leaves_near_images_alone() -> None:
    pair = torch.tensor([[[-1.0], [1.0]]], requires_grad=True)  # squared distance 1 from the centre
    threshold = math.exp(0.5)
    (closed,) = torch.autograd.grad(hinge_centralization(pair, alpha=0.5, beta=threshold + 0.01), pair)
    (opened,) = torch.autograd.grad(hinge_centralization(pair, alpha=0.5, beta=threshold - 0.01), pair)
    assert bool((closed == 0).all())
    assert opened[0, 0, 0] < 0 < opened[0, 1, 0]


def test_the_plain_form_is_the_first_order_of_the_hinge() -> None:
    synthetic, alpha = random(2, 3, 4), 1e-6
    first_order = (hinge_centralization(synthetic, alpha=alpha, beta=0.0) - 6) / alpha
    torch.testing.assert_close(first_order, squared_centralization(synthetic), rtol=1e-4, atol=0)


@pytest.mark.parametrize("function", [squared_centralization, lambda synthetic: hinge_centralization(synthetic, alpha=0.3, beta=0.7)])
def test_classes_add_up_and_gradients_are_right(function: Callable[[Tensor], Tensor]) -> None:
    synthetic = random(3, 2, 4).requires_grad_()
    torch.testing.assert_close(function(synthetic), torch.stack([function(part) for part in torch.split(synthetic, 1)]).sum())
    torch.testing.assert_close(function(synthetic), function(synthetic.flip(1)))
    assert torch.autograd.gradcheck(function, (synthetic,))


@pytest.mark.parametrize(
    "function",
    [squared_spread, squared_centralization, lambda synthetic: hinge_centralization(synthetic, alpha=0.02, beta=0.7)],
)
def test_a_single_image_is_refused_with_its_shape(function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(UserError, match=r"at least two images per class, got embeddings of shape \(10, 1, 512\)"):
        function(random(10, 1, 512))
