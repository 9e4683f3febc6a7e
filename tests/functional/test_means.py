from __future__ import annotations

import jaxtyping
import pytest
import torch
from torch import Tensor

from datastill.functional import mean_matching


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_by_hand() -> None:
    real = torch.tensor([[[1.0, 0.0], [3.0, 2.0]], [[0.0, 0.0], [0.0, 4.0]]])
    synthetic = torch.tensor([[[5.0, 1.0]], [[1.0, 2.0]]])
    # means (2, 1) and (0, 2): distances 9 and 1
    assert float(mean_matching(real.mean(1), synthetic)) == 10


def test_against_a_loop() -> None:
    real, synthetic = random(3, 7, 4), random(3, 2, 4, seed=1)
    expected = 0.0
    for label in range(3):
        for feature in range(4):
            one = sum(float(real[label, image, feature]) for image in range(7)) / 7
            other = sum(float(synthetic[label, image, feature]) for image in range(2)) / 2
            expected += (one - other) ** 2
    assert float(mean_matching(real.mean(1), synthetic)) == pytest.approx(expected, rel=1e-12)


def test_zero_for_the_same_images_in_another_order() -> None:
    real = random(2, 5, 3)
    assert float(mean_matching(real.mean(1), real.flip(1))) == pytest.approx(0, abs=1e-28)
    assert float(mean_matching(real.mean(1), real + 1)) == pytest.approx(6)


def test_classes_add_up() -> None:
    real, synthetic = random(4, 5, 3), random(4, 2, 3, seed=1)
    parts = [mean_matching(real[label : label + 1].mean(1), synthetic[label : label + 1]) for label in range(4)]
    torch.testing.assert_close(mean_matching(real.mean(1), synthetic), torch.stack(parts).sum())


def test_gradients() -> None:
    inputs = random(2, 4).requires_grad_(), random(2, 2, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(mean_matching, inputs)


@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 2, 5), (2, 4)])
def test_other_classes_or_features_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        mean_matching(random(2, 4), random(*shape))
