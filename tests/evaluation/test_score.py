from __future__ import annotations

import math

import pytest
import torch

from datastill.evaluation import Score


def test_mean_deviation_and_interval_by_hand() -> None:
    score = Score((50.0, 60.0, 70.0), torch.eye(2, dtype=torch.int64))
    assert score.mean == 60
    assert score.std == pytest.approx(math.sqrt(200 / 3))  # divided by n, as the papers do
    # Student's t at 0.975 with 2 degrees of freedom is 4.30265 (printed tables); the sample deviation is 10
    assert score.interval == pytest.approx(4.30265 * 10 / math.sqrt(3), rel=1e-5)


def test_interval_is_that_of_scipy() -> None:
    from scipy import stats

    values = (48.5, 49.1, 47.7, 48.8, 48.2)
    score = Score(values, torch.eye(2, dtype=torch.int64))
    low, high = stats.t.interval(0.95, len(values) - 1, loc=score.mean, scale=stats.sem(values))
    assert score.interval is not None
    assert (score.mean - score.interval, score.mean + score.interval) == pytest.approx((low, high))


def test_two_networks_have_no_interval_and_bounds_stay_within_0_and_100() -> None:
    confusion = torch.ones(2, 2)
    assert (Score((30.0, 45.0), confusion).interval, Score((30.0, 45.0), confusion).bounds) == (None, None)
    # half widths by hand: 4.30265 * 10 / sqrt(3) = 24.84, around 10 and around 90
    assert Score((0.0, 10.0, 20.0), confusion).bounds == pytest.approx((0.0, 34.84138), rel=1e-5)
    assert Score((80.0, 90.0, 100.0), confusion).bounds == pytest.approx((65.15862, 100.0), rel=1e-5)


def test_one_network_has_no_interval_and_a_class_without_images_no_accuracy() -> None:
    score = Score((40.0,), torch.tensor([[3, 1, 0], [0, 0, 0], [2, 2, 4]]))
    assert (score.std, score.interval) == (None, None)
    assert score.per_class[0] == 75
    assert math.isnan(score.per_class[1])
    assert score.per_class[2] == 50
    described = score.describe()
    assert described["interval95"] is None
    assert described["per_class"] == [75, None, 50]
    assert described["confusion"] == [[3, 1, 0], [0, 0, 0], [2, 2, 4]]
