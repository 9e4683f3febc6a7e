"""What every term is: a weighted function of a target, taken from real images, and of synthetic features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from datastill.encoders import Encoder
from datastill.errors import UserError
from datastill.functional import joined_means
from datastill.networks import Features
from datastill.setting import Setting

Target = Mapping[str, Tensor]
"""What a term takes from real images: tensors by name, each ``class ...``, without a graph."""

SOURCES = ("batch", "sample", "none")
"""Where the real images of a target come from (see `Term.source`)."""


@dataclass(frozen=True)
class Term(ABC):
    """A summand of a distribution-matching loss.

    A subclass says what it reads in class attributes, what it needs of real images in `target`, and computes in `__call__`; the loop does
    the rest. It must be a sum over classes, as the loop may give it any subset of the classes at a time, or say that it `couples` them.

    Attributes:
        name: Short name in a method's grammar, as in ``dm+cc``.
        summary: One line for `datastill list terms`.
        reads: The fields of `Features` it needs.
        encoder: Which of the method's encoders its features come from, by name; "matching" is the method's own.
        brings: The encoder of that name for a method that has none.
        everything: Whether its target is made of real features themselves, one for each image, and not of means over images.
        couples: Whether it compares classes with each other, and so must see all of them at once.
        trusts: Whether it relies on the network's predictions, which mean nothing in a network that was never trained.
        bounded: Whether it counts as a constraint where it does not read the matching encoder, so that `balance` bounds it; not so for what
            is a part of a method's own loss.
        least_images: Synthetic images per class it needs.
        least_real: Real images per class it needs, if its target comes from a batch.
        weight: Its factor in the loss; a target never depends on it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reads: ClassVar[tuple[str, ...]]
    encoder: ClassVar[str] = "matching"
    brings: ClassVar[Encoder | None] = None
    everything: ClassVar[bool] = False
    couples: ClassVar[bool] = False
    trusts: ClassVar[bool] = False
    bounded: ClassVar[bool] = True
    least_images: ClassVar[int] = 1
    least_real: ClassVar[int] = 1

    weight: float = 1.0

    @property
    def source(self) -> str:
        """Where the real images of its target come from; a subclass sets it as a plain class attribute.

        - "batch", the default: the real images of the step, augmented by the same draw as the synthetic ones.
        - "sample": a fixed sample of every class, the same in every run and not augmented, once for each network of a fixed set.
        - "none": it reads synthetic images only, and its target is empty.
        """
        return "batch"

    def target(self, real: Features) -> Target:
        """Take from real images what the term compares with: means over the images of a class, or what `joined` can join.

        Args:
            real: Features of at least one real image of every class, stacked by class, without gradients: all images or a part of them.

        Returns:
            Tensors by name, each with a leading class axis; if the term keeps `everything`, with an image axis next.
        """
        return {}

    def joined(self, one: Target, other: Target, share: float) -> Target:
        """The target of all images from the targets of two parts of them; by default means are averaged and single features concatenated.

        Args:
            one: The target of some images.
            other: The target of others, of the same classes.
            share: Of `other` in all of their images, in (0, 1).
        """
        if self.everything:
            return {name: torch.cat([one[name], other[name]], 1) for name in one}
        return {name: joined_means(one[name], other[name], share) for name in one}

    @abstractmethod
    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute the term, before its weight, as a scalar.

        Args:
            target: What `target` gave of the real images of the same classes; empty where `source` is "none".
            synthetic: Features of synthetic images stacked by class. Its `labels` say which classes.
        """

    @classmethod
    def suited(cls, setting: Setting) -> Term:
        """Make the term with the published weights for a setting; by default the same everywhere."""
        return cls()

    @classmethod
    def brought(cls, setting: Setting) -> Encoder | None:
        """The encoder that it brings in a setting; by default the same everywhere, `brings`."""
        return cls.brings

    def share(self, read: int, images: int) -> float:
        """The expected value of the term if it reads only some of the images of every class, drawn at random.

        Args:
            read: How many it reads.
            images: How many there are.

        Returns:
            A share of its value over all images; 1, the default, for a mean over images.
        """
        return 1.0

    def check_target(self) -> None:
        """Refuse a term that does not say what it takes from real images.

        Raises:
            UserError: If its source is unknown, or it has no `target` although it reads real images.
        """
        if self.source not in SOURCES:
            raise UserError(f"the source of the term '{self.name}' must be {', '.join(SOURCES[:-1])} or {SOURCES[-1]}, got {self.source!r}")
        if self.source != "none" and type(self).target is Term.target:
            raise UserError(
                f"the term '{self.name}' has no `target`: a term takes what it needs of real images in `target(real)`, a dictionary of "
                f"tensors, and is called with that in place of the real features; if it reads synthetic images only, set "
                f'`source = "none"` (once `compares = False`)'
            )
