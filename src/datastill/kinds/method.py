"""What every method is, whatever its kind: a named recipe that opens a stepper."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.kinds.canvas import Canvas


@dataclass(frozen=True)
class Method(ABC):
    """A way to make a distilled set. A subclass of this class is a *kind*, which owns what a step is.

    Attributes:
        name: As the user wrote it, for example "dm+iid".
    """

    name: str

    @abstractmethod
    def check(self, data: DataSet, ipc: int) -> None:
        """Refuse what the method cannot do, before anything is written.

        Raises:
            UserError: If the method cannot work with this data set or IPC.
        """

    @abstractmethod
    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Prepare a run: draw the first images, make what encoders are missing."""

    @abstractmethod
    def cost(self, data: DataSet, ipc: int) -> float:
        """Floating-point operations of a step, roughly; decides whether compiling is worth its time."""

    def pretraining_seconds(self, data: DataSet) -> float:
        """How long the training of the networks that it reads took; 0 without any, and for what is not trained yet."""
        return 0.0

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Everything needed to make the method again, as plain values for a run's configuration."""


class Stepper(ABC):
    """A method during a run. Iterations are numbered from 0.

    Attributes:
        factor: Parts per side of an image that stand for images of their own; 1 for none.
    """

    factor: int = 1

    @abstractmethod
    def step(self, iteration: int) -> dict[str, float]:
        """Take one step and return its figures by name."""

    @abstractmethod
    def images(self) -> Tensor:
        """The synthetic images now: float32 ``class image channel height width``, normalised, on the CPU."""

    def canvas(self) -> Canvas:
        """What has been learned until now. A kind that learns labels or numbers gives them here; others have hard labels by class."""
        return Canvas.stacked(self.images())

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, apart from the iteration and the seed."""

    def encoders_used(self) -> dict[str, str]:
        """Checksums of pretrained weights that the steps depend on, by name; part of what a continued run must agree in."""
        return {}

    @abstractmethod
    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a `state`."""
