from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import random
from datastill.data import ClassImages, DataSet
from datastill.networks import build
from doubles import Training
from growing_networks import ENDLESS, Judge, images, opened, synthetic, weights


def query(data: DataSet, count: int, seed: int, iteration: int, number: int | str) -> Tensor:
    """Positions of the real images of a judgement."""
    drawn = [data.train.draw(label, count, random.generator(seed, iteration, label, number, "query")) for label in range(data.classes)]
    return torch.cat(drawn)


def test_where_asked_for_the_network_is_trained_on_augmented_images(tiny: DataSet, training: Training) -> None:
    for augment in (False, True, True):
        opened(replace(ENDLESS, passes=2, augment=augment), tiny).advance(0, synthetic(tiny))
    shown = training.images
    plain, augmented, again = (shown[start : start + len(shown) // 3] for start in range(0, len(shown), len(shown) // 3))
    assert all(torch.equal(one, two) for one, two in zip(augmented, again, strict=True))  # by the seed
    assert any(not torch.equal(one, two) for one, two in zip(plain, augmented, strict=True))
    assert [len(images) for images in plain] == [len(images) for images in augmented]


@pytest.mark.parametrize("network", ["convnet", "convnet-bn"])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.8, "weight_decay": 0.01}])
def test_the_training_is_plain_sgd_on_the_synthetic_images(tiny: DataSet, network: str, options: dict[str, Any]) -> None:
    encoder = replace(ENDLESS, network=network, passes=3, batch=4, learning_rate=0.05, **options)
    session = opened(encoder, tiny, seed=1)
    plain = build(network, channels=3, classes=3, size=(8, 8))
    plain.reset(random.generator(1, 0, "growing network"))
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.05, **options)
    shown = images(tiny).flatten(0, 1)
    for iteration in range(2):
        session.advance(iteration, synthetic(tiny))
        for number in range(3):
            order = torch.randperm(6, generator=random.generator(1, iteration, number, "growing"))
            for rows in (order[:4], order[4:]):
                optimizer.zero_grad()
                torch.autograd.backward(F.cross_entropy(plain(shown[rows]).logits, rows // 2))
                optimizer.step()
        for name, value in plain.weights().items():
            torch.testing.assert_close(session.trainer.network.weights()[name], value, rtol=1e-3, atol=1e-5)
        session.begin(iteration + 1)  # the next step matches features in this network
        assert all(torch.equal(value, session.trainer.network.weights()[name]) for name, value in session.network.weights().items())
    assert not any(parameter.requires_grad for parameter in session.network.parameters())


def test_every_judgement_draws_its_own_images_of_every_class(tiny: DataSet, judge: Judge) -> None:
    session = opened(replace(ENDLESS, passes=2), tiny, seed=4)
    for iteration in range(2):
        session.advance(iteration, synthetic(tiny))
    places = [(iteration, number) for iteration in range(2) for number in ("outer", 0, 1)]
    assert len(judge.seen) == len(places)
    real = tiny.normalise(tiny.train.images)
    drawn = []
    for (pictures, labels), (iteration, number) in zip(judge.seen, places, strict=True):
        assert labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
        rows = query(tiny, 5, 4, iteration, number)
        assert torch.equal(pictures, real[rows])
        assert len(set(rows.tolist())) == 15, "an image twice"
        drawn.append(frozenset(rows.tolist()))
    assert len(set(drawn)) == len(places)


def test_small_classes_go_round_and_empty_ones_are_left_out(tiny: DataSet, judge: Judge) -> None:
    few = replace(tiny, train=ClassImages(tiny.train.storage, torch.tensor([*range(12), 24, 25]), (12, 0, 2)))
    session = opened(replace(ENDLESS, passes=0), few)
    session.advance(0, synthetic(tiny))
    ((pictures, labels),) = judge.seen
    assert labels.tolist() == [0] * 5 + [2] * 5
    assert len(torch.unique(pictures[5:], dim=0)) == 2


def test_the_accuracy_is_that_on_real_training_images(tiny: DataSet) -> None:
    session = opened(replace(ENDLESS, passes=1, learning_rate=0.1), tiny)
    for iteration in range(12):
        session.advance(iteration, synthetic(tiny, 4))
    rows = query(tiny, 5, 0, 11, 0)
    with torch.no_grad():
        predicted = session.trainer.network.eval()(tiny.normalise(tiny.train.images[rows])).logits.argmax(1)
    assert session.accuracy == pytest.approx(float((predicted == tiny.train.labels[rows]).float().mean()))
    assert session.accuracy > 0.9  # it has learned
    session.begin(12)
    assert session.synthetic(images(tiny), torch.arange(3)).accuracy == session.accuracy


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tiny: DataSet) -> None:
    found = []
    for seed in (0, 0, 1):
        session = opened(replace(ENDLESS, outer=2.0, window=2), tiny, seed)
        for iteration in range(3):
            session.advance(iteration, synthetic(tiny))
        found.append(weights(session))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
