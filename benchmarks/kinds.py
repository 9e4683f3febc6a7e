"""A step of the methods that match gradients or trajectories, unroll training or learn kernels, against its plain loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from benchmarks import measure
from benchmarks.reference_constraints import ReferenceConstraints
from benchmarks.reference_gradients import ReferenceGradients
from benchmarks.reference_regression import ReferenceRegression
from benchmarks.reference_unrolled import ReferenceTrajectories, ReferenceUnrolled
from datastill import random
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.engine.curvature import Weights
from datastill.kinds import GradientMatching, KernelRegression, Stepper, TrajectoryMatching, UnrolledTraining
from datastill.kinds.trajectory_matching import TrajectoryStepper
from datastill.methods import Method, method
from datastill.networks import build


class Loop(Protocol):
    """A plain loop."""

    def step(self, iteration: int) -> float:
        """Take a step; the loss before it."""


def expert(composed: TrajectoryMatching, data: DataSet) -> list[Weights]:
    """Weights drawn for every epoch, in place of a training run on real images: they cost the same and need no training."""
    network = build(composed.network, channels=data.channels, classes=data.classes, size=data.size)
    found: list[Weights] = []
    for epoch in range(composed.trained.epochs + 1):
        network.reset(random.generator(epoch, "expert"))
        found.append(tuple(value.clone() for value in network.weights().values()))
    return found


def opened(composed: Method, data: DataSet, engine: Engine, ipc: int) -> tuple[Stepper, Loop]:
    """A method at the start of a run, and its plain loop.

    Raises:
        TypeError: If there is no plain loop for it here.
    """
    if isinstance(composed, TrajectoryMatching):
        experts = [expert(composed, data)]
        following = TrajectoryStepper(composed, data, engine, ipc, 0, experts)
        constraints = constrained(composed, data, engine)
        return following, ReferenceTrajectories(composed, data, following.images(), experts, constraints=constraints)
    stepper = composed.open(data, engine, ipc, 0)
    if isinstance(composed, GradientMatching):
        return stepper, ReferenceGradients(composed, data, stepper.images(), constraints=constrained(composed, data, engine))
    if isinstance(composed, UnrolledTraining):
        return stepper, ReferenceUnrolled(composed, data, stepper.images())
    if isinstance(composed, KernelRegression):
        return stepper, ReferenceRegression(composed, data, stepper.images())
    raise TypeError(f"no plain loop for {composed.name} of {composed.kind}")


def constrained(composed: GradientMatching | TrajectoryMatching, data: DataSet, engine: Engine) -> ReferenceConstraints | None:
    """The plain form of both constraints, if a method has them; the network of one has weights of its own, drawn as ours are."""
    weights = {term.name: term.weight for term in composed.terms}
    if not weights:
        return None
    network = composed.encoders["pretrained"].open(data, engine, 0, ("embedding",)).network.float()
    return ReferenceConstraints(
        data, teacher=lambda iteration: network, centralization=weights["cc"], covariances=weights["cm"], balance=composed.balance
    )


def step(case: dict[str, Any]) -> dict[str, Any]:
    """A step of a method of another kind than distribution matching, and what both hold in memory at most.

    The loop runs after ours in the same process, so its peak is at least ours.
    """
    data, ipc = measure.noise(case.get("classes", 10), case.get("side", 32), case.get("per_class")), case["ipc"]
    preset, settings = case.get("preset", "code"), [*case.get("settings", ())]
    composed = method(case["method"], data="cifar10", classes=data.classes, ipc=ipc, preset=preset, settings=settings)
    if isinstance(composed, GradientMatching | TrajectoryMatching) and "pretrained" in composed.encoders:
        composed = replace(composed, encoders={**composed.encoders, "pretrained": measure.DrawnOnce()})
    engine = Engine.choose()
    stepper, loop = opened(composed, data, engine, ipc)
    ours, theirs = iter(range(10**6)), iter(range(10**6))
    highest = measure.peak(engine)
    options = {name: case[name] for name in ("warm", "times") if name in case}
    result = measure.paired(lambda: stepper.step(next(ours)), lambda: loop.step(next(theirs)), case.get("rounds", 2), **options)
    highest = max(highest, measure.peak(engine))
    work = composed.cost(data, ipc)
    return {**result, **measure.rates(work, result, highest), "reference_memory": measure.memory(), "engine": engine.describe()}
