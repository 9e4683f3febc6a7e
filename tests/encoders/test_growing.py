from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.encoders import GrowingNetwork
from datastill.engine.cost import forward_cost
from datastill.errors import UserError
from datastill.networks import build
from doubles import Training
from growing_networks import ENDLESS, Judge, opened, synthetic, weights


def nobody() -> Tensor:
    raise AssertionError("the synthetic images were asked for")


@pytest.mark.parametrize(
    ("values", "passes"),
    [
        ((0.5, 0.75, 1.0), 3),  # three passes at least, however early it learns
        ((0.75, 0.25, 0.25), 3),  # falling is a difference as well
        ((0.5, 0.5, 0.5, 0.5, 0.875), 5),
        ((0.5,) * 6, 6),  # never: as many as there may be
        ((0.5, 0.5, 0.75, 0.75, 0.75, 0.75), 6),  # .25 is not more than .25
        ((0.0, 0.125, 0.25, 0.375, 0.5, 0.625), 6),  # nor is it in any three passes that follow one another
    ],
)
def test_the_training_after_a_step_ends_when_its_last_passes_have_made_a_difference(
    tiny: DataSet, judge: Judge, training: Training, values: tuple[float, ...], passes: int
) -> None:
    session = opened(replace(ENDLESS, inner=0.25), tiny)
    judge.says(0.99, *values)
    session.advance(0, synthetic(tiny, 4))
    assert judge.asked == 1 + passes  # before the training, and after each pass
    assert training.sizes == [8, 4] * passes  # twelve images in batches of eight
    assert session.history == [0.99]
    assert session.accuracy == values[passes - 1]


@pytest.mark.parametrize(("judged", "passes"), [(3, 2), (10, 1), (1, 4)])
def test_there_are_never_more_passes_than_said_and_a_single_one_makes_no_difference(
    tiny: DataSet, judge: Judge, training: Training, judged: int, passes: int
) -> None:
    session = opened(replace(ENDLESS, inner=0.0, judged=judged, passes=passes), tiny)
    judge.says(0.0, 1.0)
    session.advance(0, synthetic(tiny))
    assert len(training.sizes) == passes


def test_a_network_is_given_up_untrained_when_the_accuracies_of_a_window_agree(tiny: DataSet, judge: Judge, training: Training) -> None:
    session = opened(replace(ENDLESS, outer=0.04, passes=1), tiny, seed=2)
    # every second one is that of a pass, but after the fourth of the others there is none
    judge.says(0.3, 0.0, 0.5, 1.0, 0.51, 0.2, 0.52, 0.6, 0.9)
    lengths = []
    for iteration in range(5):
        before = weights(session)
        session.advance(iteration, nobody if iteration == 3 else synthetic(tiny))  # .5, .51 and .52 agree
        lengths.append((len(session.history), len(training.sizes), session.accuracy))
        assert not torch.equal(weights(session), before)
    assert lengths == [(1, 1, 0.0), (2, 2, 1.0), (3, 3, 0.2), (0, 3, 0.0), (1, 4, 0.9)]


def test_a_window_that_differs_by_the_threshold_does_not_agree(tiny: DataSet, judge: Judge) -> None:
    session = opened(replace(ENDLESS, outer=0.25, passes=0), tiny)
    judge.says(0.5, 0.75, 0.5, 0.625, 0.625)
    lengths = []
    for iteration in range(5):
        session.advance(iteration, synthetic(tiny))
        lengths.append(len(session.history))
    assert lengths == [1, 2, 3, 3, 0]  # .5, .625 and .625 differ by less


def test_another_network_knows_nothing_of_the_one_before(tiny: DataSet) -> None:
    session = opened(replace(ENDLESS, outer=2.0, window=2, passes=1, momentum=0.9), tiny, seed=2)
    session.advance(5, synthetic(tiny))
    assert any(name.startswith("momentum.") for name in session.state())
    session.advance(6, nobody)
    fresh = build("convnet", channels=3, classes=3, size=(8, 8))
    fresh.reset(random.generator(2, 7, "growing network"))
    assert set(session.trainer.state()) == set(fresh.weights())  # no momentum is left
    assert all(torch.equal(value, fresh.weights()[name]) for name, value in session.trainer.state().items())
    assert (session.history, session.accuracy) == ([], 0)


def test_without_passes_the_network_stays_as_it_was_drawn(tiny: DataSet, judge: Judge) -> None:
    session = opened(replace(ENDLESS, passes=0), tiny)
    judge.says(0.3, 0.4)
    before = weights(session)
    for iteration in range(4):
        session.advance(iteration, synthetic(tiny))
    assert torch.equal(weights(session), before)
    assert session.accuracy == 0.4


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_state_has_the_accuracies_as_they_are(tiny: DataSet, judge: Judge, momentum: float) -> None:
    session, restored = (opened(replace(ENDLESS, passes=1, momentum=momentum), tiny, seed) for seed in (0, 1))
    judge.says(1 / 3, 0.2, 2 / 3, 0.7)
    for iteration in range(2):
        session.advance(iteration, synthetic(tiny))
    state = session.state()
    momenta = {f"momentum.{name}" for name, _ in session.trainer.network.named_parameters()} if momentum else set()
    assert set(state) == {*session.trainer.network.weights(), *momenta, "history", "accuracy"}
    assert (state["history"].tolist(), state["accuracy"].tolist()) == ([1 / 3, 2 / 3], [0.7])
    restored.restore(state)
    assert (restored.history, restored.accuracy) == ([1 / 3, 2 / 3], 0.7)
    for each in (session, restored):
        judge.says(1 / 3, 0.2, 2 / 3, 0.7)
        each.advance(2, synthetic(tiny))
    assert session.history == restored.history == [1 / 3, 2 / 3, 1 / 3]


def test_the_work_of_a_step_is_counted(tiny: DataSet) -> None:
    image = forward_cost(build("convnet", channels=3, classes=3, size=(8, 8)))
    # three passes at least: forward and backward of an image a class, and a query of five; one more query before
    assert ENDLESS.cost(tiny) == pytest.approx(image * 3 * (3 * (3 + 5) + 5))
    assert replace(ENDLESS, passes=1).cost(tiny) == pytest.approx(image * 3 * (3 + 5 + 5))
    assert replace(ENDLESS, passes=0, query=1).cost(tiny) == pytest.approx(image * 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"window": 0}, "window, judged, query and batch of at least 1 .* got 0, 10, 128, 256, 50, 0.04, 0.03"),
        ({"judged": 0}, "got 10, 0, 128, 256"),
        ({"query": 0}, "got 10, 10, 0, 256"),
        ({"batch": -1}, "got 10, 10, 128, -1"),
        ({"passes": -1}, "passes, outer and inner of at least 0, got .* -1, "),
        ({"outer": -0.1}, "got .* -0.1, 0.03"),
        ({"inner": -0.1}, "got .* 0.04, -0.1"),
        ({"learning_rate": 0.0}, "learning rate above 0"),
        ({"momentum": 1.0}, "momentum in .0, 1"),
        ({"weight_decay": -1.0}, "weight decay of at least 0, got 0.01, 0.0, -1.0"),
        ({"every": 0}, "every must be at least 1"),
    ],
)
def test_what_cannot_grow_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        GrowingNetwork(**changes)
