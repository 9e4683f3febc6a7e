from __future__ import annotations

import math

import jaxtyping
import pytest
import torch
from torch import Tensor

from datastill.functional import centre_discrimination


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_by_hand() -> None:
    # centres (1, 0) and (0, 2); the real images (1, 0) and (0, 1) have the logits (1, 0) and (0, 2)
    synthetic = torch.tensor([[[0.0, 0.0], [2.0, 0.0]], [[-1.0, 2.0], [1.0, 2.0]]], dtype=torch.float64)
    real = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]], dtype=torch.float64)
    expected = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))
    assert float(centre_discrimination(real, synthetic)) == pytest.approx(expected, rel=1e-12)


def test_against_a_loop() -> None:
    real, synthetic = random(3, 4, 5), random(3, 2, 5, seed=1)
    centres = [[sum(float(image[feature]) for image in synthetic[label]) / 2 for feature in range(5)] for label in range(3)]
    losses = []
    for label in range(3):
        for image in real[label].tolist():
            likeness = [math.exp(sum(one * other for one, other in zip(image, centre, strict=True))) for centre in centres]
            losses.append(-math.log(likeness[label] / sum(likeness)))
    assert float(centre_discrimination(real, synthetic)) == pytest.approx(sum(losses), rel=1e-12)


def test_chance_is_the_logarithm_of_the_number_of_classes_for_every_real_image() -> None:
    assert float(centre_discrimination(random(7, 3, 4), torch.zeros(7, 2, 4, dtype=torch.float64))) == pytest.approx(7 * 3 * math.log(7))


def test_it_is_a_sum_over_real_images_and_a_mean_over_synthetic_ones() -> None:
    real, synthetic = random(3, 4, 5), random(3, 2, 5, seed=1)
    expected = float(centre_discrimination(real, synthetic))
    assert float(centre_discrimination(torch.cat([real, real], 1), synthetic)) == pytest.approx(2 * expected, rel=1e-12)
    assert float(centre_discrimination(real, torch.cat([synthetic, synthetic], 1))) == pytest.approx(expected, rel=1e-12)


def test_gradients() -> None:
    inputs = random(3, 2, 4).requires_grad_(), random(3, 2, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(centre_discrimination, inputs)


@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 2, 5), (2, 4)])
def test_other_classes_or_features_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        centre_discrimination(random(2, 3, 4), random(*shape))
