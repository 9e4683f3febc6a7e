"""A term's target while it is gathered, part after part."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.networks import Features
from datastill.terms.term import Target, Term


class Gathering:
    """Joins the targets of parts of the real images of some classes, so that no two parts need be in memory together.

    Args:
        term: Whose target it is.

    Example:
        >>> from datastill.networks import Features
        >>> from datastill.terms import MeanMatching
        >>> gathering, empty = Gathering(MeanMatching()), torch.empty(0)
        >>> for values in ([1.0], [2.0, 6.0]):
        ...     gathering.add(Features((), empty, torch.tensor(values).reshape(1, -1, 1), empty))
        >>> gathering.target()["mean"]
        tensor([[3.]])
    """

    def __init__(self, term: Term) -> None:
        self.term, self.images = term, 0
        self._target: Target = {}

    @torch.no_grad()
    def add(self, real: Features) -> None:
        """Take the features of more images, stacked by class, of the same classes as before."""
        classes, images = real.stacked
        added = self._checked(self.term.target(real), classes)
        share = images / (self.images + images)
        self._target = self._checked(self.term.joined(self._target, added, share), classes) if self.images else added
        self.images += images

    def target(self) -> Target:
        """The target of all images so far.

        Raises:
            UserError: If there are fewer than the term needs.
        """
        if self.images < self.term.least_real:
            raise UserError(f"the term '{self.term.name}' needs at least {self.term.least_real} real images per class, got {self.images}")
        return self._target

    def _checked(self, target: object, classes: int) -> Target:
        if not isinstance(target, Mapping) or not all(isinstance(value, Tensor) for value in target.values()):
            raise UserError(f"the target of the term '{self.term.name}' must be a dictionary of tensors, got a {type(target).__name__}")
        for name, value in target.items():
            if not value.ndim or len(value) != classes:
                raise UserError(
                    f"the target '{name}' of the term '{self.term.name}' must begin with the class axis, of {classes} here, "
                    f"but has the shape {tuple(value.shape)}"
                )
        return {name: value.detach() for name, value in target.items()}


def target_of(term: Term, real: Features) -> Target:
    """The target of real images that are all in memory, stacked by class."""
    gathering = Gathering(term)
    gathering.add(real)
    return gathering.target()
