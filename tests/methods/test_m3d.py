from __future__ import annotations

import pytest
import torch

from datastill import random
from datastill.augment import DSA, expand, families
from datastill.data import DataSet
from datastill.encoders import FreshNetwork
from datastill.networks import build
from datastill.terms import KernelMatching
from small_methods import gradient, opened, small
from small_methods import matching as method


def test_its_values() -> None:
    m3d = method("m3d", data="cifar10", ipc=10)
    assert m3d.terms == (KernelMatching(weight=0.5),)
    assert m3d.encoders["matching"] == FreshNetwork("convnet")
    assert (m3d.learning_rate, m3d.momentum, m3d.real_batch, m3d.factor, m3d.augment, m3d.by_class) == (1.0, 0.5, 256, 2, True, False)
    assert [method("m3d", ipc=ipc, preset="fast").learning_rate for ipc in (1, 10, 50)] == [1.0, 5.0, 10.0]


def test_a_step_of_m3d_written_out(tiny: DataSet) -> None:
    stepper = opened(small("m3d"), tiny, ipc=2, seed=4)
    pixels = stepper.images().requires_grad_()
    figures = stepper.step(5)

    network = build("convnet", channels=3, classes=3, size=(8, 8))
    network.reset(random.generator(4, 5, "network"))
    dsa = DSA(families(flip=True))
    loss = torch.zeros(())
    for label in range(3):
        rows = torch.randperm(12, generator=random.generator(4, 5, label, "real batch"))[:7] + 12 * label
        draw = dsa.draw([random.generator(4, 5, label, "augmentation")])
        real = network(dsa(tiny.normalise(tiny.train.images[rows])[None], draw)[0]).embedding.detach()
        synthetic = network(dsa(expand(pixels[label], 2)[None], draw)[0]).embedding
        within, between, among = (
            (one[:, None] - other[None]).square().sum(2) for one, other in ((real, real), (real, synthetic), (synthetic,) * 2)
        )
        for scale in (0.25, 0.5, 1.0, 2.0, 4.0):
            width = scale * within.mean()
            kernels = [torch.exp(-pairs / width).mean() for pairs in (within, between, among)]
            loss = loss + width * (kernels[0] - 2 * kernels[1] + kernels[2]) / 5
    (expected,) = torch.autograd.grad(0.5 * loss, pixels)
    assert figures["km"] == pytest.approx(loss.item(), rel=1e-3)
    torch.testing.assert_close(gradient(stepper), expected, rtol=2e-3, atol=1e-4 * float(expected.abs().max()))
