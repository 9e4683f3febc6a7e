from __future__ import annotations

import math
from collections.abc import Sequence

import jaxtyping
import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.functional import kernel_matching, mean_matching, squared_distances

SCALES = (0.25, 1.0, 4.0)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    return sum((first - second) ** 2 for first, second in zip(one, other, strict=True))


def kernel_mean(batch: Sequence[Sequence[float]], others: Sequence[Sequence[float]], width: float) -> float:
    """A pair of images at a time."""
    total = 0.0
    for image in batch:
        for other in others:
            total += math.exp(-distance(image, other) / width)
    return total / (len(batch) * len(others))


def test_by_hand() -> None:
    # real images at 0 and 2: the mean squared distance is (0 + 4 + 4 + 0) / 4 = 2; the synthetic one is at 1, 1 from both
    real, synthetic = torch.tensor([[[0.0], [2.0]]], dtype=torch.float64), torch.tensor([[[1.0]]], dtype=torch.float64)
    expected = 2 * ((1 + math.exp(-2)) / 2 - 2 * math.exp(-1 / 2) + 1)
    assert float(kernel_matching(real, synthetic, scales=[1.0])) == pytest.approx(expected, rel=1e-12)


def test_against_a_loop() -> None:
    real, synthetic = random(2, 5, 3), random(2, 4, 3, seed=1)
    expected = 0.0
    for label in range(2):
        images, others = real[label].tolist(), synthetic[label].tolist()
        unit = sum(distance(one, other) for one in images for other in images) / 25
        for scale in SCALES:
            width = scale * unit
            within, between, among = (kernel_mean(*pair, width) for pair in ((images, images), (images, others), (others, others)))
            expected += width * (within - 2 * between + among) / 3
    assert float(kernel_matching(real, synthetic, scales=SCALES)) == pytest.approx(expected, rel=1e-12)


def test_a_very_wide_kernel_sees_twice_the_distance_of_the_means() -> None:
    real, synthetic = random(3, 6, 4), random(3, 2, 4, seed=1)
    found = float(kernel_matching(real, synthetic, scales=[1e6]))
    assert found == pytest.approx(2 * float(mean_matching(real.mean(1), synthetic)), rel=1e-4)


def test_equal_means_of_other_spread_are_told_apart() -> None:
    real = random(1, 8, 3)
    narrow = real.mean(1, keepdim=True) + 0.1 * (real - real.mean(1, keepdim=True))
    assert float(mean_matching(real.mean(1), narrow)) == pytest.approx(0, abs=1e-20)
    unit = float(squared_distances(real, real).mean())
    assert float(kernel_matching(real, narrow, scales=[1.0])) > 0.01 * unit
    assert float(kernel_matching(real, real.flip(1), scales=[0.25, 1.0])) == pytest.approx(0, abs=1e-12)


def test_a_scale_of_the_features_counts_squared() -> None:
    real, synthetic = random(2, 5, 3), random(2, 4, 3, seed=1)
    torch.testing.assert_close(kernel_matching(3 * real, 3 * synthetic, scales=SCALES), 9 * kernel_matching(real, synthetic, scales=SCALES))


def test_squared_distances_by_hand_and_never_negative() -> None:
    one, other = torch.tensor([[[0.0, 0.0], [3.0, 4.0]]]), torch.tensor([[[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]]])
    assert squared_distances(one, other).tolist() == [[[0, 9, 25], [25, 16, 0]]]
    far = torch.randn(1, 20, 64, generator=torch.Generator().manual_seed(0)) + 1e3
    assert float(squared_distances(far, far).min()) == 0


def test_real_images_that_are_all_alike_give_finite_gradients() -> None:
    real, synthetic = torch.ones(1, 3, 2), random(1, 2, 2).float().requires_grad_()
    (gradient,) = torch.autograd.grad(kernel_matching(real, synthetic, scales=[1.0]), synthetic)
    assert bool(gradient.isfinite().all())


def test_gradients() -> None:
    real, synthetic = random(2, 3, 4), random(2, 2, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda batch: kernel_matching(real, batch, scales=SCALES), (synthetic,))


@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 2, 5), (2, 4)])
def test_other_classes_or_features_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        kernel_matching(random(2, 3, 4), random(*shape), scales=[1.0])


def test_a_single_real_image_gives_no_width() -> None:
    with pytest.raises(UserError, match=r"at least two real images per class, got .*\(2, 1, 3\)"):
        kernel_matching(torch.zeros(2, 1, 3), torch.ones(2, 4, 3), scales=(1.0,))
