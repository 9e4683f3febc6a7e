from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import MeanMatching
from small_terms import between


def embedded(embedding: Tensor) -> Features:
    return Features(blocks=(), map=torch.empty(0), embedding=embedding, logits=torch.empty(0))


def test_the_value_by_hand() -> None:
    # class 0: means (2, 3) and (1, 1), distance 1 + 4; class 1: means (0, 1) and (0, 4), distance 9
    real = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[-1.0, 0.0], [1.0, 2.0]]])
    synthetic = torch.tensor([[[1.0, 1.0]], [[0.0, 4.0]]])
    assert float(between(MeanMatching(), embedded(real), embedded(synthetic))) == 14


def test_it_leaves_its_weight_to_the_method() -> None:
    real, synthetic = embedded(torch.zeros(1, 1, 1)), embedded(torch.full((1, 1, 1), 3.0))
    assert float(between(MeanMatching(weight=0.5), real, synthetic)) == 9


@pytest.mark.parametrize(("ipc", "preset"), [(1, "paper"), (50, "paper"), (10, "code")])
def test_its_weight_is_one_everywhere(ipc: int, preset: str) -> None:
    assert MeanMatching.suited(Setting("cifar10", 10, ipc, preset)) == MeanMatching(weight=1.0)


def test_embeddings_of_other_lengths_are_refused() -> None:
    with pytest.raises((TypeCheckError, RuntimeError)):
        between(MeanMatching(), embedded(torch.zeros(2, 3, 4)), embedded(torch.zeros(2, 3, 5)))
