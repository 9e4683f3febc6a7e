from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import CovarianceMatching
from small_terms import between


def mapped(map: Tensor) -> Features:
    return Features(blocks=(), map=map, embedding=torch.empty(0), logits=torch.empty(0))


def naive_covariance(images: Tensor) -> list[list[float]]:
    """Eq. 6 for one class, a number at a time: ``1/K sum_i sum_position (x - mean over images)(y - mean over images)``."""
    count, channels, height, width = images.shape
    places = [(row, column) for row in range(height) for column in range(width)]
    values: list[list[dict[tuple[int, int], float]]] = [
        [{place: float(images[image, channel, *place]) for place in places} for channel in range(channels)] for image in range(count)
    ]
    mean = [
        {place: sum(values[image][channel][place] for image in range(count)) / count for place in places} for channel in range(channels)
    ]
    return [
        [
            sum(
                (image[first][place] - mean[first][place]) * (image[second][place] - mean[second][place])
                for image in values
                for place in places
            )
            / count
            for second in range(channels)
        ]
        for first in range(channels)
    ]


def test_the_value_by_naive_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(2, 4, 3, 2, 3, dtype=torch.float64, generator=generator)
    synthetic = torch.randn(2, 3, 3, 2, 3, dtype=torch.float64, generator=generator)
    expected = 0.0
    for label in range(2):
        of_real, of_synthetic = naive_covariance(real[label]), naive_covariance(synthetic[label])
        expected += sum((of_synthetic[first][second] - of_real[first][second]) ** 2 for first in range(3) for second in range(3))
    assert float(between(CovarianceMatching(), mapped(real), mapped(synthetic))) == pytest.approx(expected, rel=1e-12)


def test_the_value_by_hand() -> None:
    # One channel, one position: the covariance is the variance divided by the number of images, 4 for (1, 5) and 1 for (0, 2).
    real = torch.tensor([1.0, 5.0]).reshape(1, 2, 1, 1, 1)
    synthetic = torch.tensor([0.0, 2.0]).reshape(1, 2, 1, 1, 1)
    assert float(between(CovarianceMatching(), mapped(real), mapped(synthetic))) == 9


@pytest.mark.parametrize("ipc", [1, 10, 50])
@pytest.mark.parametrize("preset", ["paper", "code"])
def test_the_published_weight(ipc: int, preset: str) -> None:
    assert CovarianceMatching.suited(Setting("cifar10", 10, ipc, preset)).weight == 0.01


def test_a_single_image_is_refused() -> None:
    pair, single = mapped(torch.zeros(1, 2, 3, 2, 2)), mapped(torch.zeros(1, 1, 3, 2, 2))
    with pytest.raises(UserError, match=r"a covariance needs at least two images per class, got a map of shape \(1, 1, 3, 2, 2\)"):
        between(CovarianceMatching(), pair, single)
    with pytest.raises(UserError, match="the term 'cm' needs at least 2 real images per class, got 1"):
        between(CovarianceMatching(), single, pair)
