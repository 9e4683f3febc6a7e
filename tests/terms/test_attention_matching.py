from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import AttentionMatching
from small_terms import between


def blocks(*maps: Tensor) -> Features:
    return Features(blocks=maps, map=torch.empty(0), embedding=torch.empty(0), logits=torch.empty(0))


def row(*values: float) -> Tensor:
    """One class of one image of one channel."""
    return torch.tensor(values, dtype=torch.float64).reshape(1, 1, 1, 1, -1)


def test_the_value_by_hand() -> None:
    # (.6, .8) against (0, 1): .36 + .04; (1, 0) against (0, 1): 2; of the last block nothing
    real, synthetic = blocks(row(3, 4), row(5, 0), row(1, 0)), blocks(row(0, 2), row(0, 1), row(0, 1))
    assert float(between(AttentionMatching(power=1), real, synthetic)) == pytest.approx(2.4)
    # (9, 16) is 1 / sqrt(337) times that: squared distance (81 + (sqrt(337) - 16)^2) / 337
    assert float(between(AttentionMatching(power=2), real, synthetic)) == pytest.approx((81 + (337**0.5 - 16) ** 2) / 337 + 2)


@pytest.mark.parametrize(("preset", "power"), [("paper", 4), ("code", 1), ("fast", 1)])
@pytest.mark.parametrize("ipc", [1, 10, 50])
def test_the_published_values(preset: str, power: int, ipc: int) -> None:
    assert AttentionMatching.suited(Setting("cifar10", 10, ipc, preset)) == AttentionMatching(weight=100.0, power=power)


@pytest.mark.parametrize("power", [0, -1])
def test_an_exponent_that_looks_nowhere_is_refused(power: int) -> None:
    with pytest.raises(UserError, match=f"the power of attention matching must be at least 1, got {power}"):
        AttentionMatching(power=power)
