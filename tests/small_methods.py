"""Methods whose networks are trained in moments, for sets of a few tiny images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from datastill.data import DataSet
from datastill.encoders import Encoder, GrowingNetwork, NetworkQueue, PretrainedPool, Session, TrainingRecipe, TrajectoryNetwork
from datastill.engine import Engine
from datastill.kinds import GradientMatching, TrajectoryMatching
from datastill.kinds.constrained import Constrained
from datastill.kinds.distribution_matching import MatchingStepper
from datastill.methods import DistributionMatching, Method, method
from datastill.networks import Features

POOL = PretrainedPool("convnet", count=2, recipe=TrainingRecipe(epochs=1))
WEIGHTS = {"cc": 0.05, "cm": 1.0}
"""Of the constraints on what matches no features, heavy enough to be seen beside the method's own gradient."""


def matching(name: str, **options: Any) -> DistributionMatching:
    """A method by name that matches distributions (see `datastill.method`)."""
    composed = method(name, **options)
    assert isinstance(composed, DistributionMatching)
    return composed


def small(name: str, *settings: str, preset: str = "paper", **changes: Any) -> DistributionMatching:
    """A method with a quick pretrained pool, and other networks that are trained on a few images between steps."""
    composed = matching(name, preset=preset, settings=["real_batch=7", *settings])
    encoders = {**{name: hurried(encoder) for name, encoder in composed.encoders.items()}, "pretrained": POOL}
    return replace(composed, **{"encoders": encoders, **changes})


def brief(name: str, **changes: Any) -> GradientMatching:
    """A method that matches gradients twice in a network, which is trained on a few images between."""
    composed = method(name)
    assert isinstance(composed, GradientMatching)
    summed_from = composed.summed_from and 1
    return replace(composed, **{"real_batch": 5, "matches": 2, "epochs": 2, "batch": 4, "summed_from": summed_from, **changes})


def quick(name: str) -> Method:
    """A method of any kind whose networks are trained in moments."""
    composed = method(name)
    if isinstance(composed, DistributionMatching):
        return small(name)
    if isinstance(composed, GradientMatching):
        return brief(name)
    if isinstance(composed, TrajectoryMatching):
        return replace(composed, experts=2, latest_start=2, expert_epochs=1, inner=3, batch=4, learning_rate=1.0)
    trained: dict[str, Any] = {"recipe": POOL.recipe} if hasattr(composed, "recipe") else {}
    trained |= {"pool": 2, "uses": 2} if hasattr(composed, "pool") else {}
    return replace(composed, **trained)


def constrained(name: str, *, every: int = 1, most: int = 0, **changes: Any) -> Constrained:
    """A method that matches no features with heavy constraints; no network is trained between steps, so that rounding does not grow."""
    composed, named = quick(name), method(f"{name}+iid")
    assert isinstance(composed, Constrained)
    assert isinstance(named, Constrained)
    fixed: dict[str, Any] = {"epochs": 0} if isinstance(composed, GradientMatching) else {}
    fixed |= {"summed_from": 0} if name == "dcc" else {}
    terms = tuple(replace(term, weight=WEIGHTS[term.name]) for term in named.terms)
    pool = replace(POOL, every=every, most=most)
    return replace(composed, name=f"{name}+iid", terms=terms, encoders={"pretrained": pool}, **fixed, **changes)


def hurried(encoder: Encoder) -> Encoder:
    """An encoder that trains for moments, and changes its networks often."""
    if isinstance(encoder, NetworkQueue):
        return replace(encoder, push_every=2, longest=4, trained=2, steps=2, batch=12)
    if isinstance(encoder, GrowingNetwork):
        return replace(encoder, window=2, outer=2.0, judged=2, passes=3, query=5, batch=8)
    if isinstance(encoder, TrajectoryNetwork):
        return replace(encoder, count=2, recipe=replace(POOL.recipe, schedule="constant", epochs=2, learning_rate=0.01))
    return encoder


def opened(composed: DistributionMatching, data: DataSet, ipc: int = 2, seed: int = 0) -> MatchingStepper:
    """A method at the start of an exact run."""
    stepper = composed.open(data, Engine(), ipc, seed)
    assert isinstance(stepper, MatchingStepper)
    return stepper


Seen = list[tuple[Tensor, Tensor, str]]
"""Images that went through a network, their classes, and what for."""


def watched(session: Session) -> Seen:
    """The real images that an encoder sees from now on."""
    seen: Seen = []
    real: Callable[..., Features] = session.real

    def watching(images: Tensor, labels: Tensor, use: str = "batch") -> Features:
        seen.append((images, labels, use))
        return real(images, labels, use)

    session.real = watching  # type: ignore[method-assign]  # watched
    return seen


def gradient(stepper: MatchingStepper) -> Tensor:
    """The pixels' gradient of the last step."""
    assert stepper.pixels.grad is not None
    return stepper.pixels.grad.clone()
