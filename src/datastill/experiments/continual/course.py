"""In which order classes come, what each step may read, and what its draws derive from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from datastill import random
from datastill.configuration import seed as checked_seed
from datastill.configuration import whole
from datastill.data import DataSet
from datastill.errors import UserError


@dataclass(frozen=True, eq=False)
class Course:
    """The classes of a data set in steps.

    The order is a permutation drawn from the seed alone. Steps have equally many classes, the first ones one more where that is not
    possible.

    Attributes:
        data: All classes.
        steps: In how many they come, from 1 to half the number of classes: a step has at least two.
        seed: Of the order, and of what is drawn in each step.

    Raises:
        UserError: If there are more steps than that.
    """

    data: DataSet
    steps: int
    seed: int

    def __post_init__(self) -> None:
        checked_seed(self.seed)
        steps = whole("steps", self.steps, least=1)
        if steps > self.data.classes // 2:
            classes = self.data.classes
            raise UserError(
                f"{self.data.name} has {classes} classes, which is enough for 1 to {classes // 2} steps of at least two classes each, got "
                f"`steps={steps}`"
            )

    @cached_property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """The new classes of every step, by number."""
        order = torch.randperm(self.data.classes, generator=random.generator(self.seed, "order of classes"))
        return tuple(tuple(part.tolist()) for part in order.tensor_split(self.steps))

    def new(self, step: int) -> DataSet:
        """What may be read in a step, the first of which is 0: its classes alone."""
        return self.data.only(self.classes[step])

    def seen(self, step: int) -> DataSet:
        """All classes that have come until then, in their order; what is tested on."""
        return self.data.only([label for part in self.classes[: step + 1] for label in part])

    def draws(self, step: int) -> int:
        """The seed of all that is drawn in a step."""
        return random.derive(self.seed, step, "step of continual learning")
