"""What is run for each table or figure; a specification never changes once its results are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from datastill.encoders.recipe import RECIPES, TrainingRecipe


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
    """

    method: str
    paper: float | None = None
    settings: tuple[str, ...] = ()
    label: str = ""
    preset: str = ""
    iterations: int = 0
    validate_at: tuple[int, ...] = ()

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
        repeats: Networks trained on the final set and tested on the test split.
        compare: What the last row is compared with, see `datastill.evaluate.COMPARISONS`.
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
    compare: tuple[str, ...] = ()
    seed: int = 0
    remark: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its lines, in order."""
        return tuple(row.name for row in self.rows)


EXPERIMENTS: dict[str, Experiment | TeacherExperiment] = {
    "components-cifar10-ipc10": Experiment(
        title="The two constraints, one by one and together (Table 6 of the paper), CIFAR-10, IPC 10",
        data="cifar10",
        ipc=10,
        iterations=1000,
        rows=(
            Row("dm", 48.5),
            Row("dm+cc", 52.2, settings=("pretrained.recipe.epochs=4",)),
            Row("dm+cm", 51.6),
            Row("dm+iid", 55.1, settings=("pretrained.recipe.epochs=8",)),
        ),
        settings=("real_batch=64",),
        preset="code",
        validate_at=(0, 100, 300, 600, 1000),
        remark="The curve chose nothing. `dm+iid` and `dm+cc` read different ResNet18 (see encoder): the recipe's default changed between. "
        "The machine did other work besides, at times; what compares speeds are the benchmarks.",
    ),
    "time-to-accuracy-cifar10": Experiment(
        title="Time to accuracy: the presets paper and fast, CIFAR-10, IPC 10",
        data="cifar10",
        ipc=10,
        iterations=1000,
        rows=(
            Row("dm+iid", 55.1, label="paper", preset="paper", validate_at=(1000,)),
            Row("dm+iid", 55.1, label="fast", preset="fast", iterations=500, validate_at=(100, 200, 300, 500)),
        ),
        repeats=3,
        remark="The values of the preset fast were chosen on this validation split, so its curve flatters it; its accuracy on the test "
        "split does not. The teacher's minutes are of a machine that did other work besides. The preset paper takes "
        "the paper's values where it states them, and fast's teacher.",
    ),
    "teacher-cifar10": TeacherExperiment(
        title="Teacher accuracy against time: ResNet18 on CIFAR-10",
        data="cifar10",
        network="resnet18",
        recipes={"fast": RECIPES["fast"], "fast-2-epochs": replace(RECIPES["fast"], epochs=2)},
    ),
}
"""Every experiment by name."""
