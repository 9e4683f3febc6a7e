"""dance, tgdd and cf: their values, and that a step is what they say."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from datastill import random
from datastill.augment import DSA, expand, families
from datastill.data import DataSet
from datastill.encoders import TrajectoryNetwork
from datastill.encoders.trajectory import TrajectorySession
from datastill.networks import build
from datastill.setting import PRESETS
from small_methods import gradient, matching, opened, small

NEW = pytest.mark.parametrize("base", ["dance", "tgdd", "cf"])


def trajectory(base: str, name: str = "matching", preset: str = "paper") -> TrajectoryNetwork:
    encoder = matching(base, data="cifar10", ipc=10, preset=preset).encoders[name]
    assert isinstance(encoder, TrajectoryNetwork)
    return encoder


@NEW
def test_they_store_parts_and_keep_pixels_between_black_and_white(base: str) -> None:
    for preset in PRESETS:
        composed = matching(base, data="cifar10", ipc=10, preset=preset)
        assert (composed.factor, composed.pixels, composed.by_class, composed.augment) == (2, "box", False, True)
    assert [matching(base, data="cifar10", ipc=ipc).learning_rate for ipc in (1, 10, 50)] == pytest.approx([0.01, 0.1, 0.5])


def test_the_experts_of_dance() -> None:
    for name in ("matching", "expert"):
        found = trajectory("dance", name)
        assert (found.count, found.recipe.epochs, found.first, found.later) == (20, 60, 60, 0)
        assert found.interpolate is (name == "matching")
    assert [(term.name, term.weight) for term in matching("dance").terms] == [("mm", 1), ("cal", 1)]
    assert trajectory("cf") == trajectory("dance")
    assert [(term.name, term.weight) for term in matching("cf").terms] == [("cf", 300)]


def test_the_stages_of_tgdd_and_its_weight() -> None:
    for name, later in (("matching", 0), ("expert", 6)):
        found = trajectory("tgdd", name)
        assert (found.count, found.recipe.epochs, found.first, found.last, found.later, found.interpolate) == (5, 60, 0, None, later, False)
    weights = {preset: [matching("tgdd", ipc=ipc, preset=preset).terms[1].weight for ipc in (1, 10, 50)] for preset in ("paper", "code")}
    assert weights == {"paper": [2.5, 2.5, 0.5], "code": [2.5, 2.5, 1.0]}


@pytest.mark.parametrize("base", ["dance", "tgdd"])
def test_a_step_written_out(tiny: DataSet, base: str) -> None:
    stepper = opened(small(base, learning_rate=1e-3), tiny, seed=4)
    pixels = stepper.images().requires_grad_()
    figures = stepper.step(5)
    sessions = {name: session for name, session in stepper.encoders.items() if isinstance(session, TrajectorySession)}
    drawn = {name: session.drawn(5) for name, session in sessions.items()}
    assert drawn["matching"][0] == drawn["expert"][0]
    networks = {}
    for name, (run, place) in drawn.items():
        networks[name] = build("convnet", channels=3, classes=3, size=(8, 8))
        between = float(torch.rand((), generator=random.generator(4, 5, "trajectory interpolation")))
        share = between if (base, name) == ("dance", "matching") else 0
        first, then = (sessions[name].weights[run][at] for at in (0, place))
        networks[name].take({key: (1 - share) * value.float() + share * first[key].float() for key, value in then.items()})
    dsa, mean, cross = DSA(families(flip=True)), torch.zeros(()), torch.zeros(())
    for label in range(3):
        rows = torch.randperm(12, generator=random.generator(4, 5, label, "real batch"))[:7] + 12 * label
        draw = dsa.draw([random.generator(4, 5, label, "augmentation")])
        real = networks["matching"](dsa(tiny.normalise(tiny.train.images[rows])[None], draw)[0]).embedding.detach()
        shown = dsa(expand(pixels[label], 2)[None], draw)[0]
        mean = mean + (real.mean(0) - networks["matching"](shown).embedding.mean(0)).square().sum()
        cross = cross + F.cross_entropy(networks["expert"](shown).logits, torch.full((8,), label))
    weight = 2.5 if base == "tgdd" else 1.0
    (expected,) = torch.autograd.grad(mean + weight * cross, pixels)
    assert figures["mm"] == pytest.approx(mean.item(), rel=1e-3)
    assert figures["cal"] == pytest.approx(cross.item(), rel=1e-3)
    torch.testing.assert_close(gradient(stepper), expected, rtol=2e-3, atol=1e-4 * float(expected.abs().max()))
