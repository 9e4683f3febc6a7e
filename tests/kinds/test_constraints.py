"""Constraints on methods that match no features: steps of theirs against plain loops, class after class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from benchmarks.reference_constraints import ReferenceConstraints
from benchmarks.reference_gradients import ReferenceGradients
from benchmarks.reference_unrolled import ReferenceTrajectories

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.kinds import GradientMatching, TrajectoryMatching
from datastill.kinds.constrained import Constrained
from datastill.kinds.gradient_matching import GradientStepper
from datastill.kinds.trajectory_matching import TrajectoryStepper
from datastill.methods import method
from datastill.networks import Network
from small_methods import WEIGHTS, constrained

Stepping = GradientStepper | TrajectoryStepper


def opened(composed: Constrained, data: DataSet, ipc: int) -> Stepping:
    stepper = composed.open(data, Engine(), ipc, 0)
    assert isinstance(stepper, Stepping)
    return stepper


def teacher(stepper: Stepping) -> Callable[[int], Network]:
    def drawn(iteration: int) -> Network:
        session = stepper.constraints.sessions["pretrained"]
        session.begin(iteration)
        return session.network

    return drawn


def plain(stepper: Stepping, data: DataSet, constraints: ReferenceConstraints | None) -> ReferenceGradients | ReferenceTrajectories:
    """The same as a plain loop, from the same images."""
    if isinstance(stepper, TrajectoryStepper):
        assert isinstance(stepper.method, TrajectoryMatching)
        return ReferenceTrajectories(stepper.method, data, stepper.images(), stepper.experts, constraints=constraints)
    assert isinstance(stepper.method, GradientMatching)
    return ReferenceGradients(stepper.method, data, stepper.images(), constraints=constraints)


FREE, BOUNDED, IN_PART = {"balance": 0.0}, {"balance": 0.1}, {"balance": 0.1, "every": 2, "most": 2}
AS_IDC = {"balance": 0.1, "augmentation": "idc"}


@pytest.mark.parametrize(
    ("name", "changes"),
    [*((name, changes) for name in ("dsa", "mtt") for changes in (FREE, BOUNDED, IN_PART, AS_IDC)), ("dcc", IN_PART)],
)
def test_a_step_with_constraints_is_that_of_a_plain_loop(tiny: DataSet, name: str, changes: dict[str, Any]) -> None:
    composed = constrained(name, **changes)
    stepper, beside = opened(composed, tiny, ipc=3), opened(composed, tiny, ipc=3)
    begin, pool = stepper.images(), composed.encoders["pretrained"]
    constraints = ReferenceConstraints(
        tiny,
        teacher=teacher(beside),
        centralization=WEIGHTS["cc"],
        covariances=WEIGHTS["cm"],
        balance=composed.balance,
        every=pool.every,
        most=pool.most,
    )
    reference, alone = plain(stepper, tiny, constraints), plain(stepper, tiny, None)
    for iteration in range(2):
        alone.step(iteration)
        assert stepper.step(iteration)["matching"] == pytest.approx(reference.step(iteration), rel=1e-3)
        moved = (stepper.images() - begin).norm()
        assert (stepper.images() - reference.pixels.detach()).norm() < 1e-4 * moved
        assert (stepper.images() - alone.pixels.detach()).norm() > 0.05 * moved


@pytest.mark.parametrize(("name", "changes"), [("dsa+cm", {}), ("dcc+cm", {"summed_from": 0})])
def test_real_images_pass_once_for_their_gradient_and_their_features(
    name: str, changes: dict[str, Any], tiny: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed = replace(method(name, data=tiny, ipc=3), **changes)
    assert isinstance(composed, GradientMatching)
    stepper = opened(composed, tiny, ipc=3)
    monkeypatch.setattr(stepper.constraints, "real", None)
    assert stepper.step(0)["cm"] > 0


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's tracer only looks, and hides the warning by itself
@pytest.mark.parametrize("name", ["dsa", "mtt"])
def test_a_compiled_step_with_constraints_is_the_plain_one(tiny: DataSet, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where another run compiled the same graph, whose buffers the first way back takes over."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    composed = constrained(name, balance=0.1)
    found = []
    for compiled in (False, True):
        stepper = composed.open(tiny, Engine(compiled=compiled), 3, 0)
        assert isinstance(stepper, Stepping)
        begin = stepper.images()
        session = stepper.constraints.sessions["pretrained"]
        session.begin(0)
        seen = begin[:1].requires_grad_()
        torch.autograd.grad(session.synthetic(seen, torch.tensor([0])).embedding.sum(), seen)
        stepper.step(0)
        found.append(stepper.images() - begin.detach())
    assert (found[0] - found[1]).norm() < 1e-3 * found[0].norm()
