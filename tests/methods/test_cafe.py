from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from datastill import random
from datastill.data import DataSet
from datastill.encoders import GrowingNetwork
from datastill.networks import build
from datastill.terms import Discrimination, LayerMatching
from small_methods import gradient, opened, small
from small_methods import matching as method


def test_the_published_values() -> None:
    cafe = method("cafe", data="cifar10", ipc=10)
    assert cafe.terms == (LayerMatching(weight=1.0, early=0.1, late=1.0, last=2.0), Discrimination(weight=0.01))
    assert cafe.encoders["matching"] == GrowingNetwork(
        "convnet", outer=0.04, inner=0.03, window=10, judged=10, passes=50, query=128, momentum=0.0, weight_decay=0.0
    )
    assert (cafe.learning_rate, cafe.momentum, cafe.real_batch, cafe.factor, cafe.by_class) == (0.1, 0.5, 256, 1, False)
    assert (cafe.augment, cafe.initialisation, cafe.halve_at, cafe.averaging) == (False, "noise", (12_000, 16_000, 18_000), 0.0)
    assert method("cafe", data="cifar10", ipc=10, preset="code") == replace(cafe, balance=0.0)


def test_the_fast_preset_augments_as_the_published_code_may_and_judges_its_networks_briefly() -> None:
    fast, paper = (method("cafe", data="cifar10", ipc=10, preset=preset) for preset in ("fast", "paper"))
    assert (fast.augment, fast.initialisation, fast.real_batch, fast.averaging) == (True, "real", 64, 0.99)
    assert fast.encoders["matching"] == GrowingNetwork("convnet", judged=2, passes=3, query=25, augment=True)
    assert (fast.terms, fast.learning_rate, fast.halve_at) == (paper.terms, paper.learning_rate, paper.halve_at)


def test_a_step_of_cafe_written_out(tiny: DataSet) -> None:
    stepper = opened(small("cafe"), tiny, ipc=3, seed=4)
    pixels = stepper.images().requires_grad_()
    figures = stepper.step(0)

    network = build("convnet", channels=3, classes=3, size=(8, 8))
    network.reset(random.generator(4, 0, "growing network"))
    layers, embeddings, centres = [], [], []
    for label in range(3):
        rows = torch.randperm(12, generator=random.generator(4, 0, label, "real batch"))[:7] + 12 * label
        of_real, of_synthetic = network(tiny.normalise(tiny.train.images[rows])), network(pixels[label])
        pairs = [*zip(of_real.blocks, of_synthetic.blocks, strict=True), (of_real.embedding, of_synthetic.embedding)]
        distances = [(one.detach().mean(0) - other.mean(0)).square().sum() for one, other in pairs]
        layers.append(0.1 * (distances[0] + distances[1]) + 2 * distances[2])  # two blocks at this size, and the embedding
        embeddings.append(of_real.embedding.detach())
        centres.append(of_synthetic.embedding.mean(0))
    matching = torch.stack(layers).sum()
    logits, classes = torch.cat(embeddings) @ torch.stack(centres).T, torch.arange(3).repeat_interleave(7)
    discrimination = 21 * F.cross_entropy(logits, classes)  # the sum over all real images
    (expected,) = torch.autograd.grad(matching + 0.01 * discrimination, pixels)
    assert figures["lm"] == pytest.approx(matching.item(), rel=1e-4)
    assert figures["dl"] == pytest.approx(discrimination.item(), rel=1e-4)
    torch.testing.assert_close(gradient(stepper), expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))


def test_the_learning_rate_is_halved_on_the_way(tiny: DataSet) -> None:
    whole, halved = opened(small("cafe"), tiny), opened(small("cafe", halve_at=(1,)), tiny)
    whole.step(0), halved.step(0)
    assert torch.equal(whole.images(), halved.images())
    before = whole.images()
    whole.step(1), halved.step(1)
    torch.testing.assert_close(halved.images() - before, 0.5 * (whole.images() - before), rtol=1e-4, atol=1e-6)
