from __future__ import annotations

import math

import pytest
import torch

from datastill.data import DataSet
from datastill.encoders import TrajectoryNetwork
from datastill.networks import Features
from datastill.terms import Calibration
from small_methods import opened, small

PROBABILITIES = torch.tensor([[[0.25, 0.25, 0.5], [0.7, 0.05, 0.25]], [[0.1, 0.2, 0.7], [0.2, 0.2, 0.6]]], dtype=torch.float64)


@pytest.mark.parametrize(("labels", "right"), [([2, 0], (0.5, 0.25, 0.1, 0.2)), ([0, 1], (0.25, 0.7, 0.2, 0.2))])
@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_the_value_by_hand_whatever_the_accuracy(labels: list[int], right: tuple[float, ...], accuracy: float) -> None:
    empty = torch.empty(0)
    given = Features((), empty, empty, PROBABILITIES.log() + 3, labels=torch.tensor(labels), accuracy=accuracy)
    assert float(Calibration()({}, given)) == pytest.approx(-sum(map(math.log, right)) / 2, rel=1e-12)


def test_it_brings_an_expert_at_the_end_of_its_training_and_is_not_bounded(tiny: DataSet) -> None:
    brought = Calibration().brings
    assert isinstance(brought, TrajectoryNetwork)
    assert brought.first == brought.recipe.epochs
    assert brought.snapshots.moments(brought.recipe.epochs, 5) == (0, 5 * brought.recipe.epochs)
    stepper = opened(small("dm+cal", "cal.weight=1000"), tiny)
    assert stepper._most("expert") == 0
    assert stepper.step(0)["cal"] > 0
