"""What terms that compare classes read of the classes that other processes own."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from datastill.engine import Ranks
from datastill.networks import Features
from datastill.terms import Target, Term


class Coupled:
    """Gives every process the features of all classes, of which its own have a graph.

    So each process computes the whole term, and its gradient at the images of its own classes is that of one process.

    Args:
        ranks: The processes.
        classes: How many classes they own together.
    """

    def __init__(self, ranks: Ranks, classes: int) -> None:
        self.ranks, self.classes = ranks, classes
        self._found: dict[str, tuple[list[Tensor], Target]] = {}

    def forget(self) -> None:
        """Begin another step."""
        self._found = {}

    def read(self, term: Term, target: Target, synthetic: Features) -> tuple[Target, Features]:
        """What a term is given: where it compares classes, its target and synthetic features of all of them, gathered once a step.

        Args:
            term: The term.
            target: Of the own classes.
            synthetic: Of the own classes.
        """
        if not term.couples or self.ranks.count == 1:
            return target, synthetic
        own = synthetic.only(term.reads)
        mine = _present(own)
        if term.name not in self._found:
            found, _ = self.ranks.exchange([*mine, *target.values()], [], self.classes)
            self._found[term.name] = found[: len(mine)], dict(zip(target, found[len(mine) :], strict=True))
        every, whole = self._found[term.name]
        owned = self.ranks.own(self.classes)
        pairs = iter(zip(mine, every, strict=True))

        def filled(value: Tensor) -> Tensor:
            each, other = next(pairs)
            return torch.cat([other[: owned.start], each, other[owned.stop :]])

        return whole, replace(own.apply(filled), labels=torch.arange(self.classes))


def _present(features: Features) -> list[Tensor]:
    """The features that are there, in the order of `Features.apply`."""
    found: list[Tensor] = []

    def note(value: Tensor) -> Tensor:
        found.append(value)
        return value

    features.apply(note)
    return found
