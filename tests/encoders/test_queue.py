from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.encoders import NetworkQueue
from datastill.encoders.queue import QueueSession
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.networks import build

QUICK = NetworkQueue("convnet", trained=1, steps=1, batch=4)


def nobody() -> Tensor:
    """In the place of the synthetic images, which a queue has no use for."""
    raise AssertionError("the synthetic images were asked for")


def opened(queue: NetworkQueue, data: DataSet, seed: int = 0, fields: Sequence[str] = ("embedding", "logits")) -> QueueSession:
    session = queue.open(data, Engine(), seed, fields)
    assert isinstance(session, QueueSession)
    return session


def advanced(session: QueueSession, iterations: int) -> QueueSession:
    for iteration in range(iterations):
        session.advance(iteration, nobody)
    return session


def first_weights(session: QueueSession) -> list[Tensor]:
    return [entry["convolutions.0.weight"] for entry in session.entries]


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return set(one) == set(other) and all(torch.equal(value, other[name]) for name, value in one.items())


def test_it_starts_with_some_networks_pushes_more_and_lets_the_oldest_go(tiny: DataSet) -> None:
    session = opened(replace(QUICK, steps=0, first=2, longest=4, push_every=3), tiny)
    known = first_weights(session)
    lengths = []
    for iteration in range(14):
        before = first_weights(session)
        session.advance(iteration, nobody)
        after = first_weights(session)
        lengths.append(len(after))
        pushed = (iteration + 1) % 3 == 0
        kept = after[:-1] if pushed else after
        assert all(torch.equal(one, other) for one, other in zip(kept, before[len(before) - len(kept) :], strict=True))
        known += after[-1:] if pushed else []
    assert lengths == [2, 2, 3, 3, 3, 4, *[4] * 8]
    assert len({float(weight.sum()) for weight in known}) == len(known) == 6, "a network that was pushed before"


def test_fresh_networks_are_drawn_as_others_are_and_know_nothing(tiny: DataSet) -> None:
    session = opened(QUICK, tiny, seed=3)
    for number, entry in enumerate(session.entries):
        network = build("convnet", channels=3, classes=3, size=(8, 8))
        network.reset(random.generator(3, "queue", "first", number))
        assert all(torch.equal(entry[name], value) for name, value in network.weights().items())
        assert float(entry["accuracy"]) == 0
    session.begin(0)
    assert session.synthetic(torch.zeros(3, 2, 3, 8, 8), torch.arange(3)).accuracy == 0


def test_an_iteration_draws_any_of_its_networks_equally_often(tiny: DataSet) -> None:
    session = opened(replace(QUICK, first=3), tiny)
    for place, entry in enumerate(session.entries):
        entry["accuracy"] = torch.tensor(float(place))  # so that the one in place is known
    drawn = []
    for iteration in range(150):
        session.begin(iteration)
        drawn.append(int(session.accuracy))
        assert torch.equal(dict(session.network.named_parameters())["convolutions.0.weight"], first_weights(session)[drawn[-1]])
    assert all(30 < drawn.count(place) < 70 for place in range(3))  # 50, standard deviation 6
    session.begin(7)
    assert int(session.accuracy) == drawn[7]


@pytest.mark.parametrize(("trained", "expected"), [(0, 0), (1, 1), (2, 2), (5, 3)])
def test_so_many_networks_are_trained_and_the_others_left_alone(tiny: DataSet, trained: int, expected: int) -> None:
    session = opened(replace(QUICK, trained=trained), tiny)
    chosen = set()
    for iteration in range(20):
        before = list(session.entries)
        session.advance(iteration, nobody)
        moved = [place for place in range(3) if not same(before[place], session.entries[place])]
        assert len(moved) == expected
        chosen.update(moved)
    assert chosen == (set(range(3)) if trained else set())


@pytest.mark.parametrize("network", ["convnet", "convnet-bn"])
def test_the_training_is_plain_sgd_on_real_images_and_each_network_keeps_its_momentum(tiny: DataSet, network: str) -> None:
    queue = NetworkQueue(network, first=2, trained=2, steps=2, batch=6, learning_rate=0.05, momentum=0.8, weight_decay=0.01)
    session = opened(queue, tiny, seed=1)
    plain, optimizers = [], []
    for number in range(2):
        plain.append(build(network, channels=3, classes=3, size=(8, 8)))
        plain[-1].reset(random.generator(1, "queue", "first", number))
        optimizers.append(torch.optim.SGD(plain[-1].parameters(), lr=0.05, momentum=0.8, weight_decay=0.01))
    for iteration in range(2):
        session.advance(iteration, nobody)
        for place in range(2):
            rows = torch.randint(36, (2, 6), generator=random.generator(1, iteration, place, "queue batches"))
            hits = 0
            for batch in rows:
                labels = tiny.train.labels[batch]
                logits = plain[place](tiny.normalise(tiny.train.images[batch])).logits
                hits += int((logits.argmax(1) == labels).sum())
                optimizers[place].zero_grad()
                torch.autograd.backward(F.cross_entropy(logits, labels))
                optimizers[place].step()
            assert float(session.entries[place]["accuracy"]) == pytest.approx(hits / 12)
            for name, value in plain[place].weights().items():
                torch.testing.assert_close(session.entries[place][name], value, rtol=1e-3, atol=1e-5)


def test_networks_learn_and_their_accuracy_says_so(tiny: DataSet) -> None:
    session = opened(NetworkQueue("convnet", trained=2, steps=4, batch=24), tiny)
    reached = []
    for iteration in range(10):
        session.advance(iteration, nobody)
        reached.append(sum(float(entry["accuracy"]) for entry in session.entries) / 3)
    assert reached[-1] > 0.95  # a bright bar, at another place in every class
    assert reached[0] < 0.6
    session.begin(10)
    images, labels = tiny.normalise(tiny.test.images), tiny.test.labels
    features = session.real(torch.unflatten(images, 0, (3, 4)), torch.arange(3))
    assert float((features.logits.flatten(0, 1).argmax(1) == labels).float().mean()) > 0.95
    assert features.accuracy == session.accuracy > 0.9


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tiny: DataSet) -> None:
    one, same_seed, other = (advanced(opened(replace(QUICK, push_every=2), tiny, seed), 5) for seed in (0, 0, 1))
    assert len(one.entries) == 5
    assert same(one.state(), same_seed.state())
    assert not any(torch.equal(first, second) for first, second in zip(first_weights(one), first_weights(other), strict=True))


def test_a_queue_of_more_than_ten_networks_comes_back_in_its_order(tiny: DataSet) -> None:
    queue = replace(QUICK, first=12)
    session, restored = advanced(opened(queue, tiny), 2), opened(queue, tiny, seed=1)
    restored.restore(session.state())
    assert len(restored.entries) == 12
    assert all(same(one, other) for one, other in zip(session.entries, restored.entries, strict=True))


def test_the_work_of_a_step_is_counted(tiny: DataSet) -> None:
    assert NetworkQueue("convnet", trained=0).cost(tiny) == 0
    one, many = NetworkQueue("convnet", trained=1, steps=1, batch=1), NetworkQueue("convnet", trained=2, steps=3, batch=5)
    assert many.cost(tiny) == pytest.approx(30 * one.cost(tiny)) != 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first": 0}, "1 <= first <= longest.* got first 0, longest 100"),
        ({"first": 5, "longest": 4}, "1 <= first <= longest.* got first 5, longest 4"),
        ({"push_every": 0}, "push_every and batch of at least 1.* push_every 0"),
        ({"batch": 0}, "batch 0"),
        ({"trained": -1}, "trained and steps of at least 0.* got -1"),
        ({"steps": -1}, "trained and steps of at least 0.* got 2, -1"),
        ({"learning_rate": 0.0}, "learning rate above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number, got nan"),
        ({"momentum": 1.0}, "momentum in .0, 1"),
        ({"weight_decay": -1.0}, "weight decay of at least 0, got 0.01, 0.9, -1.0"),
        ({"weight_decay": float("nan")}, "weight_decay must be a number, got nan"),
        ({"every": 0}, "every must be at least 1"),
        ({"most": -2}, "most must be at least 1, or 0"),
    ],
)
def test_what_makes_no_queue_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        NetworkQueue(**changes)
