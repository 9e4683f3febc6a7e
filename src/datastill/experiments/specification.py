"""What a specification of a table or figure says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datastill.teachers.recipe import TrainingRecipe


@dataclass(frozen=True)
class Row:
    """One line of a table: a run and its evaluation.

    Attributes:
        method: In the grammar of `datastill.method`.
        paper: What the paper reports for it in percent, or None.
        settings: Changes to the published values.
        label: What the line is called where a method alone does not tell it; also its folder.
        preset: Which published values; "" for the experiment's.
        iterations: Steps; 0 for the experiment's.
        validate_at: Iterations of its curve; empty for the experiment's.
        network: What is trained on the set and tested.
        of: "EXPERIMENT/ROW" of which the set is evaluated, with another network; "" to distil one.
    """

    method: str
    paper: float | None = None
    settings: tuple[str, ...] = ()
    label: str = ""
    preset: str = ""
    iterations: int = 0
    validate_at: tuple[int, ...] = ()
    network: str = "convnet"
    of: str = ""

    @property
    def name(self) -> str:
        """What tells the line from the others of its table."""
        return self.label or self.method


@dataclass(frozen=True)
class TeacherExperiment:
    """What a pretrained network reaches, and in what time.

    Attributes:
        title: What it shows.
        data: The data set.
        network: A name of `datastill.networks.NETWORKS`.
        recipes: How it is trained, by the names of the lines; each line is one network, trained with seed 0.
        remark: What a reader must know besides.
    """

    title: str
    data: str
    network: str
    recipes: Mapping[str, TrainingRecipe]
    remark: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its lines, in order."""
        return tuple(self.recipes)


@dataclass(frozen=True)
class Experiment:
    """A table and its curve.

    Attributes:
        title: What it shows.
        data: The data set.
        ipc: Images per class.
        iterations: Steps of every run; the last one is evaluated.
        rows: Its lines.
        settings: Changes to the published values in every row.
        preset: Which published values.
        validate_at: Iterations of the curve, one network each on the validation split.
        validation_epochs: Epochs of those networks.
        repeats: Networks trained on the final set and tested.
        epochs: Of those networks; None for the DC protocol's.
        split: What they are tested on: "test" to report, "validation" to choose.
        compare: What the last row is compared with, see `datastill.evaluation.COMPARISONS`.
        seed: Of runs and evaluations.
        remark: What a reader of the table must know besides.
    """

    title: str
    data: str
    ipc: int
    iterations: int
    rows: tuple[Row, ...]
    settings: tuple[str, ...] = ()
    preset: str = "paper"
    validate_at: tuple[int, ...] = ()
    validation_epochs: int = 300
    repeats: int = 5
    epochs: int | None = None
    split: str = "test"
    compare: tuple[str, ...] = ()
    seed: int = 0
    remark: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its lines, in order."""
        return tuple(row.name for row in self.rows)
