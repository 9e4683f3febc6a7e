"""One job of an experiment: everything it depends on, as plain values that can be hashed, pickled and written down."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from datastill.engine.policy import Policy
from datastill.evaluation import Protocol
from datastill.teachers.recipe import TrainingRecipe


@dataclass(frozen=True)
class Cell:
    """Distil a set, or take one that is there, and evaluate it.

    Attributes:
        name: "EXPERIMENT/ROW", or with the data set and the seed where there are several: the folder of its record below the results.
        run: The folder of its set below the runs; that of another experiment's cell where that one's set is evaluated.
        data: In the grammar of `datastill.load`.
        method: In the grammar of `datastill.method`.
        ipc: Images per class.
        seed: Of distilling and of evaluating: network i has weights and augmentation from (seed, i).
        iterations: Steps.
        preset: Which published values.
        settings: Changes to them.
        validate_at: Iterations of its curve, one network each on the validation split.
        validation_epochs: Epochs of those networks.
        protocol: How the networks are trained that the set is evaluated with.
        repeats: How many.
        split: What they are tested on: "test" to report, "validation" to choose.
        compare: What else is trained on in the same way, see `datastill.evaluation.COMPARISONS`.
        policy: In which precision, and whether compiled, for both halves; what it leaves open is settled for a whole table at once.
        by_size: Whether values may depend on the size of the images (see `datastill.setting.Setting.side`); not so in tables that were
            published before any did.
        keep_set: Whether the set is packed into at most `datastill.distilled.packed.MOST_BYTES`, evaluated as it comes out of that, and
            kept beside its record.
    """

    name: str
    run: str
    data: str
    method: str
    ipc: int
    seed: int
    iterations: int
    preset: str = "paper"
    settings: tuple[str, ...] = ()
    validate_at: tuple[int, ...] = ()
    validation_epochs: int = 300
    protocol: Protocol = field(default_factory=Protocol)
    repeats: int = 5
    split: str = "test"
    compare: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    by_size: bool = False
    keep_set: bool = False


@dataclass(frozen=True)
class TeacherCell:
    """Train one network on the real images and see what it reaches, and in what time.

    Attributes:
        name: "EXPERIMENT/ROW", the folder of its record below the results and of its run below the runs.
        data: In the grammar of `datastill.load`.
        network: A name of `datastill.networks.NETWORKS`.
        recipe: How it is trained.
        policy: In which precision, and whether compiled.
    """

    name: str
    data: str
    network: str
    recipe: TrainingRecipe
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True)
class ContinualCell:
    """Learn the classes of a data set in steps, in one order of them (see `datastill.continual`).

    Attributes:
        name: "EXPERIMENT/N-steps/ROW/seedS": the folder of its record below the results, and of the runs of its steps below the runs.
        data: In the grammar of `datastill.load`.
        method: In the grammar of `datastill.method`.
        ipc: Images in the memory per class.
        steps: In how many the classes come.
        seed: Of the order of the classes and of all draws.
        iterations: Steps of distilling in each step of learning; 0 for a method that has its own number.
        preset: Which published values.
        settings: Changes to them.
        protocol: How networks are trained on the memory.
        repeats: How many.
        split: What they are tested on.
        policy: In which precision, and whether compiled.
    """

    name: str
    data: str
    method: str
    ipc: int
    steps: int
    seed: int
    iterations: int
    preset: str = "paper"
    settings: tuple[str, ...] = ()
    protocol: Protocol = field(default_factory=Protocol)
    repeats: int = 3
    split: str = "test"
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True)
class ApplicationCell:
    """What a set is used for: the fields that the cells of all applications share.

    Attributes:
        name: "EXPERIMENT/ROW/seedS": the folder of its record below the results, and of its runs below the runs.
        data: In the grammar of `datastill.load`.
        method: In the grammar of `datastill.method`, or `REAL` for the real images themselves.
        ipc: Images per class; 0, for `REAL` alone, is all.
        seed: Of all draws.
        iterations: Steps of distilling; 0 for a method that has its own number.
        preset: Which published values.
        settings: Changes to them.
        protocol: How networks are trained on the set.
        repeats: How many of each kind.
        split: What they are tested on.
        policy: In which precision, and whether compiled.
    """

    name: str
    data: str
    method: str
    ipc: int
    seed: int
    iterations: int
    preset: str
    settings: tuple[str, ...]
    protocol: Protocol
    repeats: int
    split: str
    policy: Policy


@dataclass(frozen=True)
class SearchCell(ApplicationCell):
    """Train every architecture of a search on one set (see `datastill.architecture_search`).

    Attributes:
        architectures: How many of the grid, drawn by `datastill.experiments.search.sample`.
        widest: Channels of those with the most.
    """

    architectures: int
    widest: int


@dataclass(frozen=True)
class PrivacyCell(ApplicationCell):
    """Attack networks that were trained on sets (see `datastill.membership_inference`).

    Attributes:
        pool: Training images of which every set is made from half; 0 for all.
        audit: How many of them are mislabelled and attacked, the others being in every set; 0 attacks all, with their own labels.
        models: Sets, each with one network.
    """

    pool: int
    audit: int
    models: int


@dataclass(frozen=True)
class EmbeddingCell(ApplicationCell):
    """Analyse a set in the embedding of a trained network (see `datastill.analyse`).

    Attributes:
        network: Whose embedding.
        recipe: How it is trained.
        real: Real images of every class.
    """

    network: str
    recipe: TrainingRecipe
    real: int


REAL = "real"
"""The row of an application whose networks are trained on real training images, all or some of every class."""


AnyCell = Cell | TeacherCell | ContinualCell | ApplicationCell


def alike(cell: AnyCell) -> AnyCell:
    """What is the same in cells that take equally long: those that differ in the seed alone."""
    if isinstance(cell, TeacherCell):
        return cell
    return replace(cell, name="", run="", seed=0) if isinstance(cell, Cell) else replace(cell, name="", seed=0)
