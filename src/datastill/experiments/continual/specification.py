"""A figure of continual learning: methods times numbers of steps times orders of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments.cell import ContinualCell


@dataclass(frozen=True)
class ContinualRow:
    """One method of the figure.

    Attributes:
        method: In the grammar of `datastill.method`.
        iterations: Steps of distilling in each step of learning; None for the experiment's, 0 for a method that has its own number.
        settings: Changes to the published values.
        label: What the row is called where a method alone does not tell it; also its folder.
    """

    method: str
    iterations: int | None = None
    settings: tuple[str, ...] = ()
    label: str = ""

    @property
    def name(self) -> str:
        """What tells the row from the others."""
        return self.label or self.method


@dataclass(frozen=True)
class ContinualExperiment:
    """Accuracy over the number of classes seen, a curve for every method.

    Attributes:
        title: What it shows.
        data: In the grammar of `datastill.load`.
        steps: In how many steps the classes come; a curve for each.
        rows: The methods.
        iterations: Steps of distilling in each step of learning.
        ipc: Images in the memory per class.
        seeds: An order of the classes for each, and all that is drawn.
        repeats: Networks that are trained after every step.
        protocol: How they are trained; the DC protocol by default.
        preset: Which published values.
        split: What the networks are tested on.
        policy: Precision and compilation of every cell; what is left open is settled once, by the largest job.
        remark: What else a reader must know.

    Raises:
        UserError: If there is nothing to run, or a row is there twice.
    """

    title: str
    data: str
    steps: tuple[int, ...]
    rows: tuple[ContinualRow, ...]
    iterations: int
    ipc: int = 20
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    repeats: int = 3
    protocol: Protocol = field(default_factory=Protocol)
    preset: str = "paper"
    split: str = "test"
    policy: Policy = field(default_factory=Policy)
    remark: str = ""

    def __post_init__(self) -> None:
        for what, values in (("number of steps", self.steps), ("row", [row.name for row in self.rows]), ("seed", self.seeds)):
            if not values or len(set(values)) < len(values):
                raise UserError(f"'{self.title}' needs at least one {what}, each once, got {list(values)}")

    def cells(self, name: str, experiments: Mapping[str, object]) -> tuple[ContinualCell, ...]:
        """Expand to cells, those of one curve after another (see `datastill.experiments.Experiment.cells`)."""
        return tuple(cell for steps in self.steps for row in self.rows for cell in self.cells_of(name, steps, row))

    def cells_of(self, name: str, steps: int, row: ContinualRow) -> tuple[ContinualCell, ...]:
        """The cells of one curve, one for every order of the classes."""
        return tuple(
            ContinualCell(
                name=f"{name}/{steps}-steps/{row.name}/seed{seed}",
                data=self.data,
                method=row.method,
                ipc=self.ipc,
                steps=steps,
                seed=seed,
                iterations=self.iterations if row.iterations is None else row.iterations,
                preset=self.preset,
                settings=row.settings,
                protocol=self.protocol,
                repeats=self.repeats,
                split=self.split,
                policy=self.policy,
            )
            for seed in self.seeds
        )
