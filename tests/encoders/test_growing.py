from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import random
from datastill.data import ClassImages, DataSet
from datastill.encoders import GrowingNetwork, growing
from datastill.encoders.growing import GrowingSession
from datastill.engine import Engine, Runner, Trainer
from datastill.engine.cost import forward_cost
from datastill.errors import UserError
from datastill.networks import build

ENDLESS = GrowingNetwork("convnet", outer=0.0, inner=2.0, window=3, judged=3, passes=6, query=5, batch=8)
"""It is never given up, and no pass but the last one ends its training: no range is below 0, and none above 2."""


def opened(encoder: GrowingNetwork, data: DataSet, seed: int = 0) -> GrowingSession:
    session = encoder.open(data, Engine(), seed, ("embedding", "logits"))
    assert isinstance(session, GrowingSession)
    return session


def images(data: DataSet, ipc: int = 2) -> Tensor:
    """Real images in the place of synthetic ones, ``class image channel height width``."""
    rows = torch.cat([torch.arange(ipc) + offset for offset in data.train.offsets[:3]])
    return torch.unflatten(data.normalise(data.train.gather(rows)), 0, (3, ipc))


def synthetic(data: DataSet, ipc: int = 2) -> Callable[[], Tensor]:
    return lambda: images(data, ipc)


def nobody() -> Tensor:
    raise AssertionError("the synthetic images were asked for")


def weights(session: GrowingSession) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in session.trainer.network.parameters()])


def query(data: DataSet, count: int, seed: int, iteration: int, number: int | str) -> Tensor:
    """Positions of the real images of a judgement."""
    drawn = [data.train.draw(label, count, random.generator(seed, iteration, label, number, "query")) for label in range(data.classes)]
    return torch.cat(drawn)


class Accuracies:
    """Gives the accuracies of a script, from the beginning again at its end, instead of measuring them, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
        self.values, self.asked = list(values), 0
        monkeypatch.setattr(growing, "share_correct", self)

    def __call__(self, *arguments: object) -> float:
        self.asked += 1
        return self.values[(self.asked - 1) % len(self.values)]


class Judgements:
    """Remembers the images and labels that accuracies are measured on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[Tensor, Tensor]] = []
        monkeypatch.setattr(growing, "share_correct", self)

    def __call__(self, runner: Runner, images: Tensor, labels: Tensor) -> float:
        self.seen.append((images, labels))
        return 0.5


class Steps:
    """Remembers the sizes of the batches that networks are trained on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        step = Trainer.step

        def counted(trainer: Trainer, images: Tensor, labels: Tensor) -> tuple[float, int]:
            self.sizes.append(len(images))
            return step(trainer, images, labels)

        monkeypatch.setattr(Trainer, "step", counted)


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
    tiny: DataSet, monkeypatch: pytest.MonkeyPatch, values: tuple[float, ...], passes: int
) -> None:
    session = opened(replace(ENDLESS, inner=0.25), tiny)
    accuracies, steps = Accuracies(monkeypatch, 0.99, *values), Steps(monkeypatch)
    session.advance(0, synthetic(tiny, 4))
    assert accuracies.asked == 1 + passes  # before the training, and after each pass
    assert steps.sizes == [8, 4] * passes  # twelve images in batches of eight
    assert session.history == [0.99]
    assert session.accuracy == values[passes - 1]


@pytest.mark.parametrize(("judged", "passes"), [(3, 2), (10, 1), (1, 4)])
def test_there_are_never_more_passes_than_said_and_a_single_one_makes_no_difference(
    tiny: DataSet, monkeypatch: pytest.MonkeyPatch, judged: int, passes: int
) -> None:
    session = opened(replace(ENDLESS, inner=0.0, judged=judged, passes=passes), tiny)
    Accuracies(monkeypatch, 0.0, 1.0)
    steps = Steps(monkeypatch)
    session.advance(0, synthetic(tiny))
    assert len(steps.sizes) == passes


def test_a_network_is_given_up_untrained_when_the_accuracies_of_a_window_agree(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(replace(ENDLESS, outer=0.04, passes=1), tiny, seed=2)
    # every second one is that of a pass, but after the fourth of the others there is none
    Accuracies(monkeypatch, 0.3, 0.0, 0.5, 1.0, 0.51, 0.2, 0.52, 0.6, 0.9)
    steps, lengths = Steps(monkeypatch), []
    for iteration in range(5):
        before = weights(session)
        session.advance(iteration, nobody if iteration == 3 else synthetic(tiny))  # .5, .51 and .52 agree
        lengths.append((len(session.history), len(steps.sizes), session.accuracy))
        assert not torch.equal(weights(session), before)
    assert lengths == [(1, 1, 0.0), (2, 2, 1.0), (3, 3, 0.2), (0, 3, 0.0), (1, 4, 0.9)]


def test_a_window_that_differs_by_the_threshold_does_not_agree(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(replace(ENDLESS, outer=0.25, passes=0), tiny)
    Accuracies(monkeypatch, 0.5, 0.75, 0.5, 0.625, 0.625)
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


def test_without_passes_the_network_stays_as_it_was_drawn(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(replace(ENDLESS, passes=0), tiny)
    Accuracies(monkeypatch, 0.3, 0.4)
    before = weights(session)
    for iteration in range(4):
        session.advance(iteration, synthetic(tiny))
    assert torch.equal(weights(session), before)
    assert session.accuracy == 0.4


def test_where_asked_for_the_network_is_trained_on_augmented_images(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Tensor] = []

    def seen(trainer: Trainer, images: Tensor, labels: Tensor) -> tuple[float, int]:
        shown.append(images)
        return 0.0, 0

    monkeypatch.setattr(Trainer, "step", seen)
    for augment in (False, True, True):
        opened(replace(ENDLESS, passes=2, augment=augment), tiny).advance(0, synthetic(tiny))
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


def test_every_judgement_draws_so_many_images_of_every_class_anew(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    judgements = Judgements(monkeypatch)
    session = opened(replace(ENDLESS, passes=2), tiny, seed=4)
    for iteration in range(2):
        session.advance(iteration, synthetic(tiny))
    places = [(iteration, number) for iteration in range(2) for number in ("outer", 0, 1)]
    assert len(judgements.seen) == len(places)
    real = tiny.normalise(tiny.train.images)
    drawn = []
    for (pictures, labels), (iteration, number) in zip(judgements.seen, places, strict=True):
        assert labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
        rows = query(tiny, 5, 4, iteration, number)
        assert torch.equal(pictures, real[rows])
        assert len(set(rows.tolist())) == 15, "an image twice"
        drawn.append(frozenset(rows.tolist()))
    assert len(set(drawn)) == len(places)


def test_small_classes_go_round_and_empty_ones_are_left_out(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    judgements = Judgements(monkeypatch)
    few = replace(tiny, train=ClassImages(tiny.train.storage, torch.tensor([*range(12), 24, 25]), (12, 0, 2)))
    session = opened(replace(ENDLESS, passes=0), few)
    session.advance(0, synthetic(tiny))
    ((pictures, labels),) = judgements.seen
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


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_state_has_the_accuracies_as_they_are(tiny: DataSet, monkeypatch: pytest.MonkeyPatch, momentum: float) -> None:
    session, restored = (opened(replace(ENDLESS, passes=1, momentum=momentum), tiny, seed) for seed in (0, 1))
    accuracies = Accuracies(monkeypatch, 1 / 3, 0.2, 2 / 3, 0.7)
    for iteration in range(2):
        session.advance(iteration, synthetic(tiny))
    state = session.state()
    momenta = {f"momentum.{name}" for name, _ in session.trainer.network.named_parameters()} if momentum else set()
    assert set(state) == {*session.trainer.network.weights(), *momenta, "history", "accuracy"}
    assert (state["history"].tolist(), state["accuracy"].tolist()) == ([1 / 3, 2 / 3], [0.7])
    restored.restore(state)
    assert (restored.history, restored.accuracy) == ([1 / 3, 2 / 3], 0.7)
    for each in (session, restored):
        accuracies.asked = 0
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
