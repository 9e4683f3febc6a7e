from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import random
from datastill.augment import DSA, families
from datastill.data import DataSet
from datastill.encoders import NetworkQueue, PretrainedPool
from datastill.encoders.queue import QueueSession
from datastill.methods import DistributionMatching
from datastill.networks import build
from datastill.terms import ClassCentralization, CovarianceMatching, CrossEntropy, MeanMatching
from small_methods import matching as method
from small_methods import opened, small


def test_the_published_values() -> None:
    idm = method("idm", data="cifar10", ipc=10)
    assert idm.terms == (MeanMatching(), CrossEntropy(weight=0.5))
    assert idm.encoders["matching"] == NetworkQueue("convnet", first=3, longest=100, push_every=30, trained=2, steps=10, batch=256)
    assert set(idm.encoders) == {"matching"}
    assert (idm.learning_rate, idm.momentum, idm.real_batch, idm.factor, idm.by_class, idm.augment) == (0.2, 0.5, 256, 2, True, True)
    assert (idm.views, idm.averaging, idm.halve_at) == (1, 0.0, ())


@pytest.mark.parametrize(
    ("data", "ipc", "real", "push", "steps", "weight"),
    [
        ("cifar10", 1, 5000, 5, 10, 0.5), ("cifar10", 50, 256, 30, 10, 0.1), ("cifar100", 1, 5000, 5, 10, 0.5),
        ("cifar100", 10, 256, 30, 50, 0.1), ("cifar100", 50, 256, 30, 40, 0.1), ("tinyimagenet", 1, 256, 30, 10, 0.5),
        ("tinyimagenet", 50, 256, 30, 50, 0.8),
    ],
)  # fmt: skip
def test_what_depends_on_data_and_ipc(data: str, ipc: int, real: int, push: int, steps: int, weight: float) -> None:
    idm = method("idm", data=data, ipc=ipc)
    queue = idm.encoders["matching"]
    assert isinstance(queue, NetworkQueue)
    assert (idm.real_batch, queue.push_every, queue.steps, idm.terms[1].weight) == (real, push, steps, weight)
    hurried = method("idm", data=data, ipc=ipc, preset="fast").encoders["matching"]
    assert isinstance(hurried, NetworkQueue)
    assert hurried.steps == steps // 5


@pytest.mark.parametrize("ipc", [1, 10, 50])
def test_constraints_come_with_the_values_for_idm(ipc: int) -> None:
    expected = {
        "paper": (ClassCentralization(), CovarianceMatching(weight=0.01)),
        "code": (ClassCentralization(weight=0.01, form="squared"), CovarianceMatching(weight=0.03)),
        "fast": (ClassCentralization(), CovarianceMatching(weight=0.03)),
    }
    for preset, terms in expected.items():
        assert method("idm+iid", ipc=ipc, preset=preset).terms[2:] == terms


def test_the_encoder_that_a_constraint_brings_reads_as_many_parts_as_idm_wants() -> None:
    def pool(composed: DistributionMatching) -> object:
        return composed.encoders["pretrained"]

    for ipc, most in ((1, 2), (10, 10), (50, 50)):
        for composed in (method("idm+cc", ipc=ipc, preset="fast"), method("idm", ipc=ipc, preset="fast") + ClassCentralization()):
            assert pool(composed) == PretrainedPool("resnet18", most=most)
    assert pool(method("idm+cc")) == pool(method("dm+cc", preset="fast")) == PretrainedPool("resnet18")


def test_a_term_that_is_added_as_an_object_stays_as_it_is() -> None:
    assert (method("idm", preset="fast") + ClassCentralization(weight=0.7)).terms[-1] == ClassCentralization(weight=0.7)


def quadrants(images: Tensor) -> Tensor:
    """Every image's upper left, upper right, lower left and lower right, each twice as large."""
    cells = [images[:, :, rows, columns] for rows in (slice(0, 4), slice(4, 8)) for columns in (slice(0, 4), slice(4, 8))]
    return torch.stack([F.interpolate(cell, scale_factor=2.0, mode="bilinear") for cell in cells], 1).flatten(0, 1)


@pytest.mark.parametrize("rounds", [0, 2])
def test_a_step_of_idm_is_the_papers_loop_class_after_class(tiny: DataSet, rounds: int) -> None:
    stepper = opened(small("idm"), tiny, ipc=3, seed=4)
    queue = stepper.encoders["matching"]
    assert isinstance(queue, QueueSession)
    for iteration in range(rounds):  # they give the pixels a momentum, and networks an accuracy
        stepper.step(iteration)

    pixels = stepper.images().requires_grad_()
    optimizer = torch.optim.SGD([pixels], lr=0.2, momentum=0.5)
    optimizer.state[pixels]["momentum_buffer"] = stepper.state()["momentum"].clone()
    dsa = DSA(families(flip=True))
    accuracies = []
    for iteration in (rounds, rounds + 1):
        place = int(torch.randint(len(queue.entries), (), generator=random.generator(4, iteration, "queue")))
        network = build("convnet", channels=3, classes=3, size=(8, 8))
        network.take(queue.entries[place])
        accuracy = float(queue.entries[place]["accuracy"])
        accuracies.append(accuracy)
        totals = {"mm": 0.0, "ce": 0.0}
        for label in range(3):
            rows = torch.randperm(12, generator=random.generator(4, iteration, label, "real batch"))[:7] + 12 * label
            real = (tiny.train.images[rows].float() / 255 - torch.tensor(tiny.mean)[:, None, None]) / torch.tensor(tiny.std)[:, None, None]
            draw = dsa.draw([random.generator(4, iteration, label, "augmentation")])
            of_real = network(dsa(real[None], draw)[0]).embedding.detach()
            of_synthetic = network(dsa(quadrants(pixels[label])[None], draw)[0])
            distance = ((of_real.mean(0) - of_synthetic.embedding.mean(0)) ** 2).sum()
            entropy = 100 * accuracy * F.cross_entropy(of_synthetic.logits, torch.full((12,), label))
            optimizer.zero_grad()
            torch.autograd.backward(distance + 0.5 * entropy)
            optimizer.step()
            totals = {"mm": totals["mm"] + distance.item(), "ce": totals["ce"] + entropy.item()}
        figures = stepper.step(iteration)
        assert figures == pytest.approx({"loss": totals["mm"] + 0.5 * totals["ce"], **totals}, rel=1e-3)
        torch.testing.assert_close(stepper.images(), pixels.detach(), rtol=1e-3, atol=1e-4)
        assert (totals["ce"] > 0) is (accuracy > 0)
    assert (accuracies[0] > 0) is (rounds > 0)
