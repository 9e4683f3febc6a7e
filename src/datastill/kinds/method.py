"""What every method is, whatever its kind: a named recipe that opens a stepper."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from datastill.configuration import describe
from datastill.data import DataSet
from datastill.engine import Engine


@dataclass(frozen=True)
class Method(ABC):
    """A way to make a distilled set. A subclass of this class is a *kind*, which owns what a step is.

    Attributes:
        name: As the user wrote it, for example "dm+iid".
    """

    class_key: ClassVar[str] = "kind"

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

    def describe(self) -> dict[str, Any]:
        """Everything needed to make the method again, as plain values for a run's configuration: its fields."""
        return describe(self)


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

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, apart from the iteration and the seed."""

    def encoders_used(self) -> dict[str, str]:
        """Checksums of pretrained weights that the steps depend on, by name; part of what a continued run must agree in."""
        return {}

    @abstractmethod
    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a `state`."""
