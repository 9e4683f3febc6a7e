from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from datastill import random
from datastill.augment import DSA, families
from datastill.data import DataSet
from datastill.encoders import FreshNetwork
from datastill.methods import method
from datastill.networks import build
from datastill.terms import AttentionMatching, MeanMatching
from small_methods import gradient, opened, small


@pytest.mark.parametrize(("preset", "power"), [("paper", 4), ("code", 1), ("fast", 1)])
def test_the_published_values(preset: str, power: int) -> None:
    datadam = method("datadam", data="cifar10", ipc=10, preset=preset)
    assert datadam.terms == (AttentionMatching(weight=100.0, power=power), MeanMatching(weight=0.01))
    assert datadam.encoders["matching"] == FreshNetwork("convnet")
    assert (datadam.learning_rate, datadam.momentum, datadam.factor, datadam.augment) == (1.0, 0.5, 1, True)
    assert (datadam.real_batch, datadam.averaging) == ((64, 0.99) if preset == "fast" else (256, 0.0))


def test_the_one_with_batch_norm_differs_in_its_norm_only() -> None:
    one, other = method("datadam"), method("datadam-bn")
    assert other.encoders["matching"] == FreshNetwork("convnet-bn")
    assert replace(other, name=one.name, encoders=one.encoders) == one


def attention(map: Tensor) -> Tensor:
    sums: Tensor = map.abs().pow(4).sum(1).flatten(1)
    length: Tensor = sums.square().sum(1, keepdim=True).sqrt()
    return sums / length


@pytest.mark.parametrize("network", ["convnet", "convnet-bn"])
def test_a_step_of_datadam_is_the_papers_loop_class_after_class(tiny: DataSet, network: str) -> None:
    """With batch norm too: the images of a class go through the network together and without others."""
    stepper = opened(small("datadam" if network == "convnet" else "datadam-bn"), tiny, ipc=3, seed=4)
    pixels = stepper.images().requires_grad_()
    figures = stepper.step(5)

    fresh = build(network, channels=3, classes=3, size=(8, 8))
    fresh.reset(random.generator(4, 5, "network"))
    dsa = DSA(families(flip=True))
    sums = {"am": torch.zeros(()), "mm": torch.zeros(())}
    for label in range(3):
        rows = torch.randperm(12, generator=random.generator(4, 5, label, "real batch"))[:7] + 12 * label
        draw = dsa.draw([random.generator(4, 5, label, "augmentation")])
        of_real, of_synthetic = fresh(dsa(tiny.normalise(tiny.train.pixels[rows])[None], draw)[0]), fresh(dsa(pixels[None, label], draw)[0])
        one, other = attention(of_real.blocks[0].detach()), attention(of_synthetic.blocks[0])  # the first of two blocks
        sums["am"] = sums["am"] + (one.mean(0) - other.mean(0)).square().sum()
        sums["mm"] = sums["mm"] + (of_real.embedding.detach().mean(0) - of_synthetic.embedding.mean(0)).square().sum()
    (expected,) = torch.autograd.grad(100 * sums["am"] + 0.01 * sums["mm"], pixels)
    assert figures == pytest.approx(
        {"loss": 100 * sums["am"].item() + 0.01 * sums["mm"].item(), **{name: value.item() for name, value in sums.items()}}, rel=1e-3
    )
    torch.testing.assert_close(gradient(stepper), expected, rtol=2e-3, atol=1e-4 * float(expected.abs().max()))
