from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import CrossEntropy

# Three classes. Images of class 2 then of class 0, two of each, with the probabilities of the classes.
PROBABILITIES = torch.tensor([[[0.25, 0.25, 0.5], [0.7, 0.05, 0.25]], [[0.1, 0.2, 0.7], [0.2, 0.2, 0.6]]], dtype=torch.float64)


def classified(logits: Tensor, labels: list[int], accuracy: float) -> Features:
    empty = torch.empty(0)
    return Features(blocks=(), map=empty, embedding=empty, logits=logits, labels=torch.tensor(labels), accuracy=accuracy)


@pytest.mark.parametrize(("labels", "right"), [([2, 0], (0.5, 0.25, 0.1, 0.2)), ([0, 1], (0.25, 0.7, 0.2, 0.2))])
@pytest.mark.parametrize("accuracy", [0.0, 0.3, 1.0])
def test_the_value_by_hand(labels: list[int], right: tuple[float, ...], accuracy: float) -> None:
    # the mean over the images of a class, summed over classes, times the accuracy in percent
    expected = 100 * accuracy * sum(-math.log(probability) for probability in right) / 2
    found = CrossEntropy()({}, classified(PROBABILITIES.log() + 3, labels, accuracy))
    assert float(found) == pytest.approx(expected, rel=1e-12)


def test_real_images_are_not_asked_for() -> None:
    assert CrossEntropy().source == "none"
    assert CrossEntropy.trusts


@pytest.mark.parametrize(
    ("data", "weights"),
    [("cifar10", (0.5, 0.5, 0.1)), ("cifar100", (0.5, 0.1, 0.1)), ("tinyimagenet", (0.5, 0.5, 0.8)), ("digits", (0.5, 0.5, 0.1))],
)
@pytest.mark.parametrize("preset", ["paper", "code", "fast"])
def test_the_weights_of_the_published_code(data: str, weights: tuple[float, ...], preset: str) -> None:
    found = [CrossEntropy.suited(Setting(data, 10, ipc, preset)).weight for ipc in (1, 10, 50)]
    assert tuple(found) == weights


def test_a_class_that_the_network_does_not_know_is_refused() -> None:
    with pytest.raises(IndexError, match="out of bounds"):
        CrossEntropy()({}, classified(PROBABILITIES, [0, 3], 1.0))
