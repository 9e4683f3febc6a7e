from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.encoders import GrowingNetwork, growing
from datastill.encoders.growing import GrowingSession
from datastill.engine import Engine, Trainer
from datastill.errors import UserError
from datastill.networks import build

ENDLESS = GrowingNetwork("convnet", outer=0.0, inner=0.0, window=3, passes=6, query=16, batch=8)


def opened(encoder: GrowingNetwork, data: DataSet, seed: int = 0) -> GrowingSession:
    session = encoder.open(data, Engine(), seed, ("embedding", "logits"))
    assert isinstance(session, GrowingSession)
    return session


def synthetic(data: DataSet, ipc: int = 2) -> Tensor:
    """Real images in the place of synthetic ones, ``class image channel height width``."""
    rows = torch.cat([torch.arange(ipc) + offset for offset in data.train.offsets[:3]])
    return torch.unflatten(data.normalise(data.train.gather(rows)), 0, (3, ipc))


def weights(session: GrowingSession) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in session.trainer.network.parameters()])


class Accuracies:
    """Gives the accuracies of a script instead of measuring them, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
        self.values, self.asked = list(values), 0
        monkeypatch.setattr(growing, "share_correct", self)

    def __call__(self, *arguments: object) -> float:
        self.asked += 1
        return self.values[(self.asked - 1) % len(self.values)]


@pytest.mark.parametrize(
    ("values", "passes"),
    [
        ((0.5, 0.5, 0.5), 3),
        ((0.1, 0.3, 0.5, 0.51, 0.52), 5),  # the first three passes whose accuracies differ by less than .03
        ((0.1, 0.4), 6),  # never: as many as there may be
        ((0.5, 0.53, 0.53, 0.53), 4),  # .03 is not less than .03
    ],
)
def test_the_training_after_a_step_ends_when_its_accuracy_has_settled(
    tiny: DataSet, monkeypatch: pytest.MonkeyPatch, values: tuple[float, ...], passes: int
) -> None:
    session = opened(replace(ENDLESS, inner=0.03), tiny)
    accuracies = Accuracies(monkeypatch, *values)
    steps: list[int] = []
    step = Trainer.step

    def counted(trainer: Trainer, images: Tensor, labels: Tensor) -> tuple[float, int]:
        steps.append(len(images))
        return step(trainer, images, labels)

    monkeypatch.setattr(Trainer, "step", counted)
    session.advance(0, synthetic(tiny, 4))
    assert accuracies.asked == passes
    assert steps == [8, 4] * passes  # twelve images in batches of eight
    assert session.accuracy == values[(passes - 1) % len(values)]


def test_another_network_is_drawn_when_the_accuracies_of_a_window_agree(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(replace(ENDLESS, outer=0.04, passes=1), tiny, seed=2)
    Accuracies(monkeypatch, 0.3, 0.5, 0.51, 0.52, 0.6)
    lengths = []
    for iteration in range(5):
        before = weights(session)
        session.advance(iteration, synthetic(tiny))
        lengths.append(len(session.history))
        assert not torch.equal(weights(session), before)
    assert lengths == [1, 2, 3, 0, 1]  # .5, .51 and .52 agree


def test_another_network_knows_nothing_of_the_one_before(tiny: DataSet) -> None:
    session = opened(replace(ENDLESS, outer=2.0, window=1, passes=1), tiny, seed=2)
    session.advance(6, synthetic(tiny))
    fresh = build("convnet", channels=3, classes=3, size=(8, 8))
    fresh.reset(random.generator(2, 7, "growing network"))
    assert set(session.trainer.state()) == set(fresh.weights())  # no momentum is left
    assert all(torch.equal(value, fresh.weights()[name]) for name, value in session.trainer.state().items())
    assert (session.history, session.accuracy) == ([], 0)


def test_without_passes_the_network_stays_as_it_was_drawn(tiny: DataSet) -> None:
    session = opened(replace(ENDLESS, passes=0, outer=1.0), tiny)
    before = weights(session)
    for iteration in range(5):
        session.advance(iteration, synthetic(tiny))
    assert torch.equal(weights(session), before)
    assert session.accuracy == 0


@pytest.mark.parametrize("network", ["convnet", "convnet-bn"])
def test_the_training_is_plain_sgd_on_the_synthetic_images(tiny: DataSet, network: str) -> None:
    encoder = replace(ENDLESS, network=network, passes=3, batch=4, learning_rate=0.05, momentum=0.8, weight_decay=0.01)
    session = opened(encoder, tiny, seed=1)
    plain = build(network, channels=3, classes=3, size=(8, 8))
    plain.reset(random.generator(1, 0, "growing network"))
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.05, momentum=0.8, weight_decay=0.01)
    images = synthetic(tiny)
    for iteration in range(2):
        session.advance(iteration, images)
        for number in range(3):
            order = torch.randperm(6, generator=random.generator(1, iteration, number, "growing"))
            for rows in (order[:4], order[4:]):
                optimizer.zero_grad()
                torch.autograd.backward(F.cross_entropy(plain(images.flatten(0, 1)[rows]).logits, rows // 2))
                optimizer.step()
        for name, value in plain.weights().items():
            torch.testing.assert_close(session.trainer.network.weights()[name], value, rtol=1e-3, atol=1e-5)
        session.begin(iteration + 1)  # the next step matches features in this network
        assert all(torch.equal(value, session.trainer.network.weights()[name]) for name, value in session.network.weights().items())
    assert not any(parameter.requires_grad for parameter in session.network.parameters())


def test_the_accuracy_is_that_on_real_training_images(tiny: DataSet) -> None:
    session = opened(replace(ENDLESS, passes=1, query=200), tiny)
    for iteration in range(12):
        session.advance(iteration, synthetic(tiny, 4))
    rows = torch.randint(36, (200,), generator=random.generator(0, 11, "query"))
    with torch.no_grad():
        predicted = session.trainer.network.eval()(tiny.normalise(tiny.train.pixels[rows])).logits.argmax(1)
    assert session.accuracy == pytest.approx(float((predicted == tiny.train.labels[rows]).float().mean()))
    assert session.accuracy > 0.9  # it has learned
    session.begin(12)
    assert session.synthetic(synthetic(tiny), torch.arange(3)).accuracy == session.accuracy


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tiny: DataSet) -> None:
    found = []
    for seed in (0, 0, 1):
        session = opened(replace(ENDLESS, outer=2.0, window=2), tiny, seed)
        for iteration in range(3):
            session.advance(iteration, synthetic(tiny))
        found.append(weights(session))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_work_of_a_step_is_counted(tiny: DataSet) -> None:
    assert replace(ENDLESS, query=100).operations(tiny) > ENDLESS.operations(tiny) > 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"window": 0}, "window, query and batch of at least 1 .* got 0, 256, 256"),
        ({"query": 0}, "got 10, 0, 256"),
        ({"batch": -1}, "got 10, 256, -1"),
        ({"passes": -1}, "passes, outer and inner of at least 0, got .* -1, "),
        ({"outer": -0.1}, "got .* -0.1, 0.03"),
        ({"inner": -0.1}, "got .* 0.04, -0.1"),
        ({"learning_rate": 0.0}, "learning rate above 0"),
        ({"momentum": 1.0}, "momentum in .0, 1"),
        ({"every": 0}, "every must be at least 1"),
    ],
)
def test_what_cannot_grow_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        GrowingNetwork(**changes)
