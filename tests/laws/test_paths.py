"""The laws of the engine: however it runs, the same is computed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from benchmarks.reference import ReferenceIDM, ReferenceMatching
from torch import Tensor

import datastill
from datastill.data import ClassImages, DataSet
from datastill.encoders import NetworkQueue, PretrainedPool, TrainingRecipe
from datastill.engine import Engine
from datastill.kinds.distribution_matching import MatchingStepper
from datastill.methods import DistributionMatching
from datastill.networks.resnet18 import ResidualBlock
from small_methods import matching as method

COMPILER = any(shutil.which(name) for name in ("g++", "clang++", "c++"))
SETTINGS = ["real_batch=16", "cc.form=squared", "cc.weight=1", "balance=0"]
CLASS_BYTES = 4 * 16 * 2 * (128 * 4 * 4)
"""Of what a ConvNet makes of the real images of a class and step, as floats: the last map and the embedding."""


def noise(classes: int = 3, side: int = 16) -> DataSet:
    pixels = torch.randint(0, 256, (classes * 20, 3, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    split = ClassImages(pixels, torch.arange(len(pixels)), (20,) * classes)
    names = tuple(str(label) for label in range(classes))
    return DataSet("noise", split, split, split, names, (0.5,) * 3, (0.25,) * 3, flip=True, fingerprint=f"noise{classes}")


def photographs(real_data: Path) -> DataSet:
    """Forty photographs of each of three classes of the real set, at half the side."""
    data = datastill.load(f"parquet:{real_data / 'cifar10'}@16")
    few = torch.cat([torch.arange(40) + offset for offset in data.train.offsets[:3]])
    train = ClassImages(data.train.storage, data.train.rows[few], (40,) * 3)
    return replace(data, train=train, validation=train, class_names=data.class_names[:3], fingerprint="photographs")


def iid(teacher: str = "resnet18") -> DistributionMatching:
    composed = method("dm+iid", settings=SETTINGS)
    recipe = TrainingRecipe(epochs=1, batch=32)
    return replace(composed, encoders={**composed.encoders, "pretrained": PretrainedPool(teacher, recipe=recipe)})


def opened(composed: DistributionMatching, data: DataSet, engine: Engine) -> MatchingStepper:
    stepper = composed.open(data, engine, 4, 0)
    assert isinstance(stepper, MatchingStepper)
    return stepper


def first_step(stepper: MatchingStepper) -> tuple[float, Tensor]:
    """Loss and pixel gradient of the first step."""
    loss = stepper.step(0)["loss"]
    assert stepper.pixels.grad is not None
    return loss, stepper.pixels.grad.clone()


def stepped(composed: DistributionMatching, data: DataSet, engine: Engine) -> tuple[float, Tensor]:
    return first_step(opened(composed, data, engine))


def distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


def check_fast_against_exact(data: DataSet) -> None:
    """In what the machine is fastest in: bf16, or 32 bits with kernels of our own for convolutions."""
    engine = Engine.choose(device="cpu", compile=True)
    exact_loss, exact = stepped(iid("convnet"), data, Engine())
    fast_loss, fast = stepped(iid("convnet"), data, engine)
    assert fast_loss == pytest.approx(exact_loss, rel=0.01)
    assert float(torch.cosine_similarity(fast.flatten(), exact.flatten(), 0)) > 0.98
    if engine.precision == torch.bfloat16:
        half_loss, half = stepped(iid("convnet"), data, Engine(precision=torch.bfloat16))
        assert half_loss == pytest.approx(exact_loss, rel=0.01)
        assert 1e-4 < distance(fast, exact) < 1.5 * distance(half, exact)  # computed in bf16, and no worse than bf16 is uncompiled
    else:
        assert distance(fast, exact) < 0.02


@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's tracer only looks, and hides the warning by itself
def test_the_fast_path_agrees_with_the_exact_one_on_noise() -> None:
    check_fast_against_exact(noise())


@pytest.mark.real
@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # as above
def test_the_fast_path_agrees_with_the_exact_one_on_photographs(real_data: Path) -> None:
    check_fast_against_exact(photographs(real_data))


@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # as above
def test_a_compiled_residual_block_is_the_exact_one() -> None:
    """What a ResNet18 consists of; the whole takes minutes to compile."""
    engine = Engine.choose(device="cpu", compile=True)
    block, images = ResidualBlock(32, 64, 2), torch.randn(4, 32, 8, 8, generator=torch.Generator().manual_seed(0))
    found = []
    for compute, precision in ((block, torch.float32), (engine.compile(lambda tensor: (block(tensor),)), engine.precision)):
        map = images.to(precision, memory_format=torch.channels_last).requires_grad_()
        made = compute(map)
        output = made[0] if isinstance(made, tuple) else made
        found.append((output.detach().float(), torch.autograd.grad(output.float().square().sum(), map)[0].float()))
    for fast, exact in zip(found[1], found[0], strict=True):
        assert float(torch.cosine_similarity(fast.flatten(), exact.flatten(), 0)) > 0.98
        assert engine.precision == torch.bfloat16 or distance(fast, exact) < 1e-3


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        ({"images": 1}, (1,) * 5),
        ({"images": 8}, (2, 2, 1)),
        ({"size": 1}, (1,) * 5),
        ({"size": 3 * CLASS_BYTES}, (3, 2)),
    ],
)
def test_class_chunks_change_nothing(limits: dict[str, int], sizes: tuple[int, ...], memory: Callable[..., None]) -> None:
    data = noise(classes=5)
    loss, gradient = stepped(iid(), data, Engine())
    memory(**limits)
    stepper = opened(iid(), data, Engine())
    assert tuple(len(chunk) for chunk in stepper.chunks) == sizes
    chunked_loss, chunked = first_step(stepper)
    assert chunked_loss == pytest.approx(loss, rel=1e-5)
    assert distance(chunked, gradient) < 1e-5


@pytest.mark.parametrize("constraints", [False, True])
def test_the_exact_path_is_the_published_loop_written_plainly(constraints: bool) -> None:
    data = noise()
    stepper = opened(iid() if constraints else method("dm", settings=["real_batch=16"]), data, Engine())
    teacher = None
    if constraints:
        stepper.encoders["pretrained"].begin(0)  # puts the pretrained weights in place
        teacher = stepper.encoders["pretrained"].network
    reference = ReferenceMatching(data, stepper.images(), real_batch=16, teacher=teacher, centralization=1.0)
    for iteration in range(2):
        assert reference.step(iteration) == pytest.approx(stepper.step(iteration)["loss"], rel=1e-4)
        torch.testing.assert_close(stepper.images(), reference.pixels.detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("constraints", [False, True])
def test_idm_is_its_published_loop_written_plainly(constraints: bool) -> None:
    """Against a loop with torch's own optimizers, one step a class, and the training of the queue and a push between the steps."""
    data = noise()
    composed = method("idm+iid" if constraints else "idm", preset="code", settings=["real_batch=16"])
    queue = NetworkQueue("convnet", push_every=2, steps=2, batch=16)
    composed = replace(composed, encoders={"matching": queue, "pretrained": iid().encoders["pretrained"]})
    stepper = composed.open(data, Engine(), 2, 0)
    assert isinstance(stepper, MatchingStepper)
    teacher = None
    if constraints:
        stepper.encoders["pretrained"].begin(0)  # puts the pretrained weights in place
        teacher = stepper.encoders["pretrained"].network
    begin = stepper.images().clone()
    reference = ReferenceIDM(data, stepper.images(), real_batch=16, teacher=teacher, push_every=2, steps=2, batch=16)
    for iteration in range(4):
        assert reference.step(iteration) == pytest.approx(stepper.step(iteration)["loss"], rel=1e-3)
        # Of how far the images went: a pixel where an activation is all but 0 may part further, by a processor's rounding.
        assert (stepper.images() - reference.pixels.detach()).norm() < 2e-3 * (stepper.images() - begin).norm()
    assert max(reference.accuracies) > 0
