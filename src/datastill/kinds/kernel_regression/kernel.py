"""What a kernel is during a run."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class Kernel(ABC):
    """A kernel between images during a run: what it sees of every image, and its value between two of those.

    Attributes:
        values: Numbers that it sees of an image.
    """

    values: int

    def begin(self, iteration: int) -> None:  # noqa: B027  # nothing by default
        """Get ready for an iteration."""

    @abstractmethod
    def seen(self, images: Tensor) -> Tensor:
        """What it sees of normalised ``image channel height width``: float64 ``image feature``."""

    @abstractmethod
    def between(self, one: Tensor, other: Tensor) -> Tensor:
        """Its values between all pairs of what it sees, ``one other``."""

    def advance(self, iteration: int, images: Tensor, labels: Tensor) -> None:  # noqa: B027  # nothing by default
        """Train what it consists of on the set, ``image channel height width`` and ``image class``, after a step."""

    def state(self) -> dict[str, Tensor]:
        """What changes during a run, by name."""
        return {}

    def check(self, state: dict[str, Tensor], what: str) -> None:  # noqa: B027  # nothing by default
        """Refuse values of a `state` that are out of their range; names, shapes and types were checked before.

        Raises:
            UserError: If there is one.
        """

    def restore(self, state: dict[str, Tensor]) -> None:  # noqa: B027  # nothing by default
        """Take over a `state`."""
