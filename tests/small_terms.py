"""A term as a user would write it, and terms between two batches of features that are all in memory."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from datastill.networks import Features
from datastill.terms import Target, Term, target_of


def between(term: Term, real: Features, synthetic: Features) -> Tensor:
    """The value of a term, whose target is taken from real features if it takes any."""
    target: Target = {} if term.source == "none" else target_of(term, real)
    return term(target, synthetic)


@dataclass(frozen=True)
class Brightness(Term):
    """A term as a user would write it, beyond the package."""

    name = "bright"
    summary = "squared distance between mean activations"
    reads = ("map", "blocks")

    weight: float = 0.5
    power: int = 2

    def target(self, real: Features) -> Target:
        return {"first": real.blocks[0].mean((1, 2, 3, 4)), "last": real.map.mean((1, 2, 3, 4))}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        first = (target["first"] - synthetic.blocks[0].mean((1, 2, 3, 4))).abs() ** self.power
        return (first + (target["last"] - synthetic.map.mean((1, 2, 3, 4))).abs() ** self.power).sum()
