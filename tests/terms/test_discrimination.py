from __future__ import annotations

import math

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import Discrimination
from small_terms import between


def embedded(embedding: Tensor) -> Features:
    return Features(blocks=(), map=torch.empty(0), embedding=embedding, logits=torch.empty(0))


def test_the_value_by_hand() -> None:
    # centres (1, 0) and (0, 1); the first real image is twice its centre, the second one is nearer to the other's
    synthetic = torch.tensor([[[1.0, -1.0], [1.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    real = torch.tensor([[[2.0, 0.0]], [[3.0, 1.0]]])
    expected = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2))
    assert float(between(Discrimination(), embedded(real), embedded(synthetic))) == pytest.approx(expected)


def test_it_pulls_a_centre_towards_its_own_images_and_away_from_the_others() -> None:
    real = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    synthetic = torch.zeros(2, 1, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(between(Discrimination(), embedded(real), embedded(synthetic)), synthetic)
    assert gradient.sign().squeeze(1).tolist() == [[-1, 1], [1, -1]]


@pytest.mark.parametrize("preset", ["paper", "code", "fast"])
def test_the_published_weight(preset: str) -> None:
    assert Discrimination.suited(Setting("cifar10", 10, 10, preset)).weight == 0.01
    assert Discrimination.couples


def test_other_classes_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        between(Discrimination(), embedded(torch.zeros(3, 2, 4)), embedded(torch.zeros(2, 2, 4)))
