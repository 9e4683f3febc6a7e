"""What every term is: a weighted function of features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from datastill.encoders import Encoder
from datastill.networks import Features
from datastill.setting import Setting


@dataclass(frozen=True)
class Term(ABC):
    """A summand of a distribution-matching loss.

    A subclass says what it reads in class attributes and computes in `__call__`; the loop does the rest. It must be a sum over classes,
    as the loop may hand it any part of the classes at a time, or say that it `couples` them.

    Attributes:
        name: Short name in a method's grammar, as in ``dm+cc``.
        summary: One line for `datastill list terms`.
        reads: The fields of `Features` it needs.
        encoder: Which of the method's encoders its features come from, by name; "matching" is the method's own.
        brings: The encoder of that name for a method that has none.
        compares: Whether it reads real features; if not, none are computed for it.
        couples: Whether it compares classes with each other, and so must see all of them at once.
        trusts: Whether it goes by what the network takes images for, which means nothing in a network that was never trained.
        least_images: Synthetic images per class it needs.
        least_real: Real images per class it needs, if it compares.
        weight: Its factor in the loss.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reads: ClassVar[tuple[str, ...]]
    encoder: ClassVar[str] = "matching"
    brings: ClassVar[Encoder | None] = None
    compares: ClassVar[bool] = True
    couples: ClassVar[bool] = False
    trusts: ClassVar[bool] = False
    least_images: ClassVar[int] = 1
    least_real: ClassVar[int] = 1

    weight: float = 1.0

    @property
    def scaled(self) -> bool:
        """Whether it measures distances in units of the spread of real images; not unless a term says so."""
        return False

    @abstractmethod
    def __call__(self, real: Features, synthetic: Features) -> Tensor:
        """Compute the term, before its weight, as a scalar.

        Args:
            real: Features of real images stacked by class, without gradients; empty where `compares` is false.
            synthetic: Features of synthetic images stacked by class, their number per class may differ. Its `labels` say which classes.
        """

    @classmethod
    def suited(cls, setting: Setting) -> Term:
        """Make the term with the published weights for a setting; by default the same everywhere."""
        return cls()

    def share(self, read: int, images: int) -> float:
        """What the term amounts to, in expectation, if it reads some of the images of every class, drawn at random, and not all.

        Args:
            read: How many it reads.
            images: How many there are.

        Returns:
            A share of its value over all images; 1, the default, for a mean over images.
        """
        return 1.0
