from __future__ import annotations

import math

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from datastill.errors import UserError
from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import KernelMatching
from small_terms import between


def embedded(embedding: Tensor) -> Features:
    return Features(blocks=(), map=torch.empty(0), embedding=embedding, logits=torch.empty(0))


def test_the_value_by_hand() -> None:
    # real images at 0 and 2 with a mean squared distance of 2, the synthetic one at 1: widths .5, 1, 2, 4 and 8
    real, synthetic = torch.tensor([[[0.0], [2.0]]], dtype=torch.float64), torch.tensor([[[1.0]]], dtype=torch.float64)
    values = [width * ((1 + math.exp(-4 / width)) / 2 - 2 * math.exp(-1 / width) + 1) for width in (0.5, 1.0, 2.0, 4.0, 8.0)]
    assert float(between(KernelMatching(), embedded(real), embedded(synthetic))) == pytest.approx(sum(values) / 5, rel=1e-12)


def test_images_are_pushed_apart_where_only_their_mean_is_right() -> None:
    real = torch.tensor([[[-1.0], [1.0]]])
    synthetic = torch.tensor([[[-0.1], [0.1]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(between(KernelMatching(), embedded(real), embedded(synthetic)), synthetic)
    assert gradient[0, 0, 0] > 0 > gradient[0, 1, 0]


@pytest.mark.parametrize("preset", ["paper", "code", "fast"])
def test_its_weight_is_that_of_mean_matching_for_wide_kernels(preset: str) -> None:
    assert KernelMatching.suited(Setting("cifar10", 10, 10, preset)).weight == 0.5


def test_its_widths_are_a_field() -> None:
    real, synthetic = torch.tensor([[[0.0], [2.0]]], dtype=torch.float64), torch.tensor([[[1.0]]], dtype=torch.float64)
    assert KernelMatching().scales == (0.25, 0.5, 1.0, 2.0, 4.0)
    values = [width * ((1 + math.exp(-4 / width)) / 2 - 2 * math.exp(-1 / width) + 1) for width in (1.0, 6.0)]
    found = float(between(KernelMatching(scales=(0.5, 3.0)), embedded(real), embedded(synthetic)))
    assert found == pytest.approx(sum(values) / 2, rel=1e-12)


@pytest.mark.parametrize("scales", [(), (0.0,), (1.0, -2.0), (math.inf,), (1.0, math.nan)])
def test_widths_that_are_none_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="the scales of kernel matching must be numbers above 0, got "):
        KernelMatching(scales=scales)


def test_embeddings_of_other_lengths_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        between(KernelMatching(), embedded(torch.zeros(2, 3, 4)), embedded(torch.zeros(2, 3, 5)))
