"""What every method is, whatever its kind: a named recipe that opens a stepper."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar, Self

from torch import Tensor

from datastill.configuration import describe
from datastill.data import DataSet
from datastill.encoders import Encoder
from datastill.engine import Engine
from datastill.engine.measuring import nbytes, seconds_of
from datastill.errors import UserError
from datastill.kinds.canvas import Canvas
from datastill.labels import HARD
from datastill.setting import Lookup
from datastill.teachers.missing import Untrained
from datastill.terms import Term

ITERATIONS = 2000
"""Steps of a run that does not say how many."""


@dataclass(frozen=True)
class Method(ABC):
    """A way to make a distilled set. A subclass of this class is a *kind*, which owns what a step is.

    Attributes:
        kind: What the kind is called.
        takes_terms: Whether terms can be added to a method of the kind.
        steps: How many steps every run takes; None for as many as are asked for.
        own_steps: Whether what it learns teaches only networks that take the training steps that are learned with it.
        lower: What makes a run smaller that does not fit into memory, as an advice.
        name: As the user wrote it, for example "dm+iid".
        lookup: What its published values were looked up by; None for a method that was not composed from a name.
    """

    class_key: ClassVar[str] = "kind"
    kind: ClassVar[str]
    takes_terms: ClassVar[bool] = False
    steps: ClassVar[int | None] = None
    own_steps: ClassVar[bool] = False
    lower: ClassVar[str] = "lower `ipc`"

    name: str
    lookup: Lookup | None = field(default=None, compare=False, repr=False, kw_only=True)

    @property
    def label_kind(self) -> str:
        """What the labels of its sets are, one of `datastill.labels.KINDS`."""
        return HARD

    def __add__(self, term: Term) -> Self:
        """The same method with one more term; refused by kinds that take none.

        Raises:
            UserError: If methods of this kind take no terms.
        """
        raise self.no_terms(term.name)

    def no_terms(self, added: str) -> UserError:
        """The error for what was added to a method of a kind that takes no terms.

        Args:
            added: As it was named, without the first ``+``.
        """
        return UserError(
            f"{self.name} is a method of {self.kind}, which takes no terms: leave out +{added}, or add it to a method that matches "
            f"distributions, gradients or trajectories, such as dm, dsa or mtt"
        )

    def never(self, iterations: int) -> str:
        """One sentence on what a run this short leaves out; empty if it leaves out nothing.

        Args:
            iterations: Of the whole run.
        """
        return ""

    def with_term(self, term: Term, encoder: Encoder | None = None) -> Self:
        """The same method with one more term, which takes the values that the method wants of it, if it wants any.

        Args:
            term: What is added.
            encoder: What it brings here; None for what it brings everywhere.
        """
        return self + term

    def iterations(self, asked: int | None) -> int:
        """How many steps a run takes, of which `asked` were asked for; None for the kind's number or the default."""
        if self.steps is not None:
            return self.steps
        return ITERATIONS if asked is None else asked

    @abstractmethod
    def check(self, data: DataSet, ipc: int) -> None:
        """Refuse what the method cannot do, before anything is written.

        Raises:
            UserError: If the method cannot work with this data set or IPC.
        """

    def check_shared(self, data: DataSet, processes: int) -> None:
        """Refuse to share the steps among processes that own some of the classes each; by default every kind does.

        Args:
            data: The data set.
            processes: How many; more than 1.

        Raises:
            UserError: If the steps cannot be shared, with why.
        """
        raise UserError(
            f"{self.name} is a method of {self.kind}, whose steps are no sums over classes and cannot be shared by {processes} processes: "
            f"run it in one process, without torchrun"
        )

    @abstractmethod
    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Prepare a run: draw the first images, train any missing encoders."""

    @abstractmethod
    def cost(self, data: DataSet, ipc: int) -> float:
        """Approximate floating-point operations of a step; decides whether compiling pays off."""

    def memory(self, data: DataSet, ipc: int) -> int:
        """Bytes of memory that a run takes at least; 0 where nothing is known."""
        return 0

    def pretraining_seconds(self, data: DataSet) -> float:
        """How long the training of the networks that it reads took; 0 without any, and for what is not trained yet."""
        return 0.0

    def missing(self, data: DataSet) -> tuple[Untrained, ...]:
        """Networks that `open` trains first, as they are not in the cache."""
        return ()

    def measure(self, data: DataSet, engine: Engine, ipc: int, seed: int, iterations: int) -> Measured:
        """Take a few steps of a run, without training networks that are missing or keeping anything."""
        return Measured.of(self.open(data, engine, ipc, seed), iterations)

    def describe(self) -> dict[str, Any]:
        """Everything needed to make the method again, as plain values for a run's configuration: its fields."""
        return describe(self)


def check_every_class(data: DataSet, needed_by: str) -> None:
    """Refuse a class without training images.

    Raises:
        UserError: If there is one.
    """
    if not min(data.train.counts):
        name = data.class_names[data.train.counts.index(0)]
        raise UserError(f"{needed_by} needs real images of every class, but '{name}' has no training images: leave it out")


def check_enough_classes(data: DataSet, processes: int) -> None:
    """Refuse processes that would own no class.

    Raises:
        UserError: If there are more processes than classes.
    """
    if processes > data.classes:
        raise UserError(
            f"{data.name} has {data.classes} classes, too few for {processes} processes, each of which owns at least one: start "
            f"{data.classes} processes or fewer"
        )


@dataclass(frozen=True, eq=False)
class Measured:
    """What a few steps of a method tell.

    Attributes:
        seconds: Of a step.
        state: Bytes of what a checkpoint holds at the end.
        canvas: What has been learned.
        factor: As in `Stepper`.
    """

    seconds: float
    state: int
    canvas: Canvas
    factor: int = 1

    @classmethod
    def of(cls, stepper: Stepper, iterations: int, period: int = 1) -> Self:
        """Measure steps of a run of so many, whose lengths repeat after a period."""
        steps = count()
        seconds = seconds_of(lambda: stepper.step(next(steps)), period=period)
        return cls(seconds, stepper.state_bytes(iterations), stepper.canvas(), stepper.factor)


class Stepper(ABC):
    """A method during a run. Iterations are numbered from 0.

    Attributes:
        factor: Parts per side of an image, each used as a separate image; 1 for none.
    """

    factor: int = 1

    @abstractmethod
    def step(self, iteration: int) -> dict[str, float]:
        """Take one step and return its metrics by name."""

    @abstractmethod
    def images(self) -> Tensor:
        """The synthetic images now: float32 ``class image channel height width``, normalised, on the CPU."""

    def canvas(self) -> Canvas:
        """What has been learned until now. A kind that learns labels or numbers gives them here; others have hard labels by class."""
        return Canvas.stacked(self.images())

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, apart from the iteration and the seed."""

    def state_bytes(self, iteration: int) -> int:
        """Bytes of the `state` after an iteration, which may be one to come."""
        return nbytes(list(self.state().values()))

    def encoders_used(self) -> dict[str, str]:
        """Checksums of pretrained weights that the steps depend on, by name; a continued run must have the same."""
        return {}

    @abstractmethod
    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a `state`."""
