from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from datastill import random
from datastill.augment import DSA, families
from datastill.data import DataSet
from datastill.encoders import FreshNetwork
from datastill.networks import build
from datastill.terms import AttentionMatching, MeanMatching
from small_methods import POOL, gradient, opened, small
from small_methods import matching as method


@pytest.mark.parametrize(("preset", "power", "real"), [("paper", 4, 256), ("code", 1, 64), ("fast", 1, 64)])
def test_the_published_values(preset: str, power: int, real: int) -> None:
    datadam = method("datadam", data="cifar10", ipc=10, preset=preset)
    # the published loss is 100 times the sum of attention and .01 of the embeddings
    assert datadam.terms == (AttentionMatching(weight=100.0, power=power), MeanMatching(weight=1.0))
    assert datadam.encoders["matching"] == FreshNetwork("convnet")
    assert (datadam.learning_rate, datadam.momentum, datadam.factor, datadam.augment) == (1.0, 0.5, 1, True)
    assert (datadam.real_batch, datadam.averaging) == (real, 0.99 if preset == "fast" else 0.0)


def test_the_one_with_batch_norm_differs_in_its_norm_only() -> None:
    one, other = method("datadam"), method("datadam-bn")
    assert other.encoders["matching"] == FreshNetwork("convnet-bn")
    assert replace(other, name=one.name, encoders=one.encoders) == one


def attention(map: Tensor) -> Tensor:
    sums: Tensor = map.abs().pow(4).sum(1).flatten(1)
    length: Tensor = sums.square().sum(1, keepdim=True).sqrt()
    return sums / length


@pytest.mark.parametrize("network", ["convnet", "convnet-bn"])
def test_a_step_of_datadam_is_the_published_loop(tiny: DataSet, network: str) -> None:
    """The images of all classes go through the network together, which counts with batch norm; real and synthetic ones apart."""
    stepper = opened(small("datadam" if network == "convnet" else "datadam-bn"), tiny, ipc=3, seed=4)
    pixels = stepper.images().requires_grad_()
    figures = stepper.step(5)

    fresh = build(network, channels=3, classes=3, size=(8, 8))
    fresh.reset(random.generator(4, 5, "network"))
    dsa = DSA(families(flip=True))
    sums = {"am": torch.zeros(()), "mm": torch.zeros(())}
    batches: dict[str, list[Tensor]] = {"real": [], "synthetic": []}
    for label in range(3):
        rows = torch.randperm(12, generator=random.generator(4, 5, label, "real batch"))[:7] + 12 * label
        draw = dsa.draw([random.generator(4, 5, label, "augmentation")])
        batches["real"].append(dsa(tiny.normalise(tiny.train.images[rows])[None], draw)[0])
        batches["synthetic"].append(dsa(pixels[None, label], draw)[0])
    of_real, of_synthetic = (fresh(torch.cat(batches[name])) for name in ("real", "synthetic"))
    one, other = attention(of_real.blocks[0].detach()), attention(of_synthetic.blocks[0])  # the first of two blocks
    for label in range(3):
        real, synthetic = slice(7 * label, 7 * label + 7), slice(3 * label, 3 * label + 3)
        sums["am"] = sums["am"] + (one[real].mean(0) - other[synthetic].mean(0)).square().sum()
        sums["mm"] = sums["mm"] + (of_real.embedding[real].detach().mean(0) - of_synthetic.embedding[synthetic].mean(0)).square().sum()
    (expected,) = torch.autograd.grad(100 * sums["am"] + sums["mm"], pixels)
    assert figures == pytest.approx(
        {"loss": 100 * sums["am"].item() + sums["mm"].item(), **{name: value.item() for name, value in sums.items()}}, rel=1e-3
    )
    torch.testing.assert_close(gradient(stepper), expected, rtol=2e-3, atol=1e-4 * float(expected.abs().max()))


def test_with_batch_norm_the_images_of_other_classes_count(tiny: DataSet) -> None:
    """Which is why its classes are never cut into chunks: other images of one class change the pull on another."""
    found = {}
    for name in ("datadam", "datadam-bn"):
        stepper, other = opened(small(name), tiny), opened(small(name), tiny)
        with torch.no_grad():
            other.pixels[2] += 1
        for each in (stepper, other):
            each.step(0)
        found[name] = torch.allclose(gradient(stepper)[:2], gradient(other)[:2], rtol=1e-3, atol=1e-6)
    assert found == {"datadam": True, "datadam-bn": False}


FEATURES = 128 * 8 * 8 + 128 * 4 * 4 + 128 * 2 * 2
"""Values of an 8x8 image that the terms of datadam read in a ConvNet: two blocks and the embedding."""


@pytest.mark.parametrize(
    ("classes", "sizes"),
    [(3, (3,)), (2.9, (2, 1)), (2, (2, 1)), (1.9, (1, 1, 1)), (0.5, (1, 1, 1))],
)
def test_as_many_classes_go_together_as_their_features_fit_in_memory(
    tiny: DataSet, memory: Callable[..., None], classes: float, sizes: tuple[int, ...]
) -> None:
    """The real images are 3x8x8 numbers each; their features more than fifty times as many."""
    whole = opened(small("datadam"), tiny)
    assert whole.encoders["matching"].values == FEATURES
    memory(size=int(classes * 4 * 7 * FEATURES))
    parts = opened(small("datadam"), tiny)
    assert tuple(len(chunk) for chunk in parts.chunks) == sizes
    dm = opened(small("dm"), tiny)
    assert dm.encoders["matching"].values == 512
    assert len(dm.chunks) == 1  # it reads the embedding alone
    for iteration in range(2):
        assert parts.step(iteration) == pytest.approx(whole.step(iteration), rel=1e-4)
        torch.testing.assert_close(gradient(parts), gradient(whole), rtol=1e-3, atol=1e-4 * float(gradient(whole).abs().max()))


def test_with_batch_norm_all_classes_go_together_whatever_they_take(tiny: DataSet, memory: Callable[..., None]) -> None:
    memory(images=1, size=1)
    assert [len(chunk) for chunk in opened(small("datadam-bn"), tiny).chunks] == [3]
    pool = replace(POOL, network="convnet-bn")  # in evaluation every image is normalised by itself
    composed = small("dm+cc", encoders={**small("dm").encoders, "pretrained": pool})
    assert [len(chunk) for chunk in opened(composed, tiny).chunks] == [1, 1, 1]
