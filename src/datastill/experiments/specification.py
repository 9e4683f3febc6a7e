"""What a specification of a table or figure says, and the cells that it expands to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from datastill.engine.policy import Policy
from datastill.errors import UserError, unknown
from datastill.evaluation import Protocol
from datastill.experiments.application import ApplicationExperiment
from datastill.experiments.cell import Cell, TeacherCell
from datastill.experiments.continual.specification import ContinualExperiment
from datastill.methods.published import PublishedAccuracy
from datastill.teachers.recipe import TrainingRecipe


@dataclass(frozen=True)
class Row:
    """One method of a table.

    Attributes:
        method: In the grammar of `datastill.method`.
        paper: What is published for it, in percent or with what must be said beside it: one accuracy, or one for each (data set, IPC) by
            the name of the block; None for nothing.
        settings: Changes to the published values.
        label: What the row is called where a method alone does not tell it; also its folder.
        preset: Which published values; "" for the experiment's.
        iterations: Steps, or steps by IPC; None for the block's.
        validate_at: Iterations of its curve; empty for the block's.
        network: What is trained on the set and tested; "" for the experiment's.
        of: "EXPERIMENT/ROW" whose set is evaluated, with another network; "" to distil one.
        inherits: Whether the settings of the experiment and the block, and the curve of the block, apply; not so for a method that lacks
            those fields, or takes one step.
    """

    method: str
    paper: float | PublishedAccuracy | Mapping[tuple[str, int], float | PublishedAccuracy] | None = None
    settings: tuple[str, ...] = ()
    label: str = ""
    preset: str = ""
    iterations: int | Mapping[int, int] | None = None
    validate_at: tuple[int, ...] = ()
    network: str = ""
    of: str = ""
    inherits: bool = True

    @property
    def name(self) -> str:
        """What tells the row from the others of its table."""
        return self.label or self.method

    def steps(self, ipc: int) -> int | None:
        """Its steps at an IPC; None for the block's."""
        return self.iterations.get(ipc) if isinstance(self.iterations, Mapping) else self.iterations

    def published(self, block: str, ipc: int, protocol: str) -> PublishedAccuracy | None:
        """What is published on a data set at an IPC, as it stands beside results of a protocol; a bare number is of that protocol."""
        found = self.paper.get((block, ipc)) if isinstance(self.paper, Mapping) else self.paper
        if found is None:
            return None
        return found.beside(protocol) if isinstance(found, PublishedAccuracy) else PublishedAccuracy(found, protocol=protocol)


@dataclass(frozen=True)
class Block:
    """The part of a table on one data set, with the budget of all its cells.

    Attributes:
        data: In the grammar of `datastill.load`, such as ``cifar100[0-19]`` for the first twenty classes.
        ipcs: Images per class.
        iterations: Steps of every run; the last one is evaluated.
        seeds: One set is distilled with each.
        settings: Changes to the published values in every row, after the experiment's and before the row's.
        validate_at: Iterations of the curve, one network each on the validation split.
        validation_epochs: Epochs of those networks.
        repeats: Networks trained on every final set and tested.
        epochs: Of those networks; None for those of the experiment's protocol.
        label: What the data set is called; "" for its name.
    """

    data: str
    ipcs: tuple[int, ...]
    iterations: int
    seeds: tuple[int, ...] = (0,)
    settings: tuple[str, ...] = ()
    validate_at: tuple[int, ...] = ()
    validation_epochs: int = 300
    repeats: int = 5
    epochs: int | None = None
    label: str = ""

    @property
    def name(self) -> str:
        """What tells the block from the others of its table."""
        return self.label or self.data


@dataclass(frozen=True)
class Line:
    """One line of a table: a row on one data set at one IPC. Its cells differ in the seed alone.

    Attributes:
        row: Of the specification.
        block: Of the specification.
        ipc: Images per class.
        cells: One for every seed.
        place: Its folder below that of the experiment.
    """

    row: Row
    block: Block
    ipc: int
    cells: tuple[Cell, ...]
    place: str

    @property
    def published(self) -> PublishedAccuracy | None:
        """What is published for it."""
        return self.row.published(self.block.name, self.ipc, self.cells[0].protocol.called)


@dataclass(frozen=True)
class Experiment:
    """A table and its curve.

    Attributes:
        title: What it shows.
        blocks: The data sets, IPCs and budgets.
        rows: The methods, each on every block and IPC.
        settings: Changes to the published values in every cell.
        preset: Which published values.
        split: What the networks are tested on: "test" to report, "validation" to choose.
        compare: What the last row is compared with, see `datastill.evaluation.COMPARISONS`.
        policy: Precision and compilation of every cell, distilling and evaluating; what is left open is settled once, by the largest job.
        remark: What else a reader of the table must know.
        protocol: How networks are trained on the sets, where blocks and rows do not say otherwise; the DC protocol by default.
        by_size: Whether values may depend on the size of the images (see `Cell`).
        keep_sets: Whether the sets are kept beside their records (see `Cell`).
        over_ipc: Whether the page has accuracy over IPC as a picture.
        grids: Whether the page shows the sets' images.

    Raises:
        UserError: If there is nothing to run, or a name is there twice or cannot be a folder's.
    """

    title: str
    blocks: tuple[Block, ...]
    rows: tuple[Row, ...]
    settings: tuple[str, ...] = ()
    preset: str = "paper"
    split: str = "test"
    compare: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    remark: str = ""
    protocol: Protocol = field(default_factory=Protocol)
    by_size: bool = False
    keep_sets: bool = False
    over_ipc: bool = False
    grids: bool = False

    def __post_init__(self) -> None:
        places = [f"{as_folder(block.name)}-ipc{ipc}" for block in self.blocks for ipc in block.ipcs]
        for what, names in (("row", [row.name for row in self.rows]), ("data set and IPC", places)):
            if not names:
                raise UserError(f"'{self.title}' has no {what}, so there is nothing to run")
            for name in names:
                if names.count(name) > 1:
                    raise UserError(f"'{self.title}' has the {what} '{name}' twice: give one of them another label")
        for row in self.rows:
            if not _FOLDER.fullmatch(row.name):
                raise UserError(
                    f"'{row.name}' cannot be the name of a row, because it also names a folder: give it a label such as dm-views4"
                )
        for block in self.blocks:
            if not block.seeds or len(set(block.seeds)) < len(block.seeds):
                raise UserError(f"'{self.title}' needs at least one seed on {block.name}, each once, got {list(block.seeds)}")

    def lines(self, name: str, experiments: Specifications) -> tuple[Line, ...]:
        """Expand to lines.

        Args:
            name: What the experiment is called; where its records are kept.
            experiments: Those whose sets may be evaluated here.
        """
        return tuple(self._line(name, row, block, ipc, experiments) for block in self.blocks for ipc in block.ipcs for row in self.rows)

    def cells(self, name: str, experiments: Specifications) -> tuple[Cell, ...]:
        """Expand to cells (see `lines`)."""
        return tuple(cell for line in self.lines(name, experiments) for cell in line.cells)

    def _line(self, name: str, row: Row, block: Block, ipc: int, experiments: Specifications) -> Line:
        several = len(self.blocks) > 1 or len(self.blocks[0].ipcs) > 1
        place = f"{as_folder(block.name)}-ipc{ipc}/{row.name}" if several else row.name
        cells = []
        for seed in block.seeds:
            own = f"{name}/{place}/seed{seed}" if len(block.seeds) > 1 else f"{name}/{place}"
            made = _origin(row.of, block, ipc, seed, experiments) if row.of else self._distilled(own, row, block, ipc, seed)
            evaluated = replace(
                self.protocol,
                network=row.network or self.protocol.network,
                epochs=self.protocol.epochs if block.epochs is None else block.epochs,
            )
            compare = self.compare if row is self.rows[-1] else ()
            cells.append(
                replace(made, name=own, protocol=evaluated, repeats=block.repeats, split=self.split, compare=compare, policy=self.policy)
            )
        return Line(row, block, ipc, tuple(cells), place)

    def _distilled(self, run: str, row: Row, block: Block, ipc: int, seed: int) -> Cell:
        steps = row.steps(ipc)
        return Cell(
            name=run,
            run=run,
            data=block.data,
            method=row.method,
            ipc=ipc,
            seed=seed,
            iterations=block.iterations if steps is None else steps,
            preset=row.preset or self.preset,
            settings=(*self.settings, *block.settings, *row.settings) if row.inherits else row.settings,
            validate_at=row.validate_at or (block.validate_at if row.inherits else ()),
            validation_epochs=block.validation_epochs,
            by_size=self.by_size,
            keep_set=self.keep_sets,
        )


@dataclass(frozen=True)
class TeacherExperiment:
    """What a pretrained network reaches, and in what time.

    Attributes:
        title: What it shows.
        data: The data set.
        network: A name of `datastill.networks.NETWORKS`.
        recipes: How it is trained, by the names of the lines; each line is one network, trained with seed 0.
        policy: Precision and compilation of every cell; what is left open is settled once, by the largest job.
        remark: What else a reader must know.
    """

    title: str
    data: str
    network: str
    recipes: Mapping[str, TrainingRecipe]
    policy: Policy = field(default_factory=Policy)
    remark: str = ""

    def cells(self, name: str, experiments: Specifications) -> tuple[TeacherCell, ...]:
        """Expand to cells (see `Experiment.cells`)."""
        return tuple(TeacherCell(f"{name}/{line}", self.data, self.network, recipe, self.policy) for line, recipe in self.recipes.items())


AnyExperiment = Experiment | TeacherExperiment | ContinualExperiment | ApplicationExperiment
Specifications = Mapping[str, AnyExperiment]
"""Experiments by name."""


def _origin(of: str, block: Block, ipc: int, seed: int, experiments: Specifications) -> Cell:
    """The cell whose set is evaluated: that of the named row on the same data at the same IPC with the same seed."""
    name, _, row = of.partition("/")
    if name not in experiments:
        raise unknown("experiment", name, experiments)
    experiment = experiments[name]
    if not isinstance(experiment, Experiment):
        raise UserError(f"{name} is not a table of distilled sets, so {of} has none to evaluate")
    rows = [each for each in experiment.rows if each.name == row]
    if rows and rows[0].of:
        raise UserError(f"{of} has no set of its own: name {rows[0].of}, which made it")
    for each in experiment.blocks:
        if rows and (each.data, ipc in each.ipcs, seed in each.seeds) == (block.data, True, True):
            cells = experiment._line(name, rows[0], each, ipc, experiments).cells
            return next(cell for cell in cells if cell.seed == seed)
    raise UserError(f"{name} has no row '{row}' on {block.data} at IPC {ipc} with seed {seed} to evaluate")


_FOLDER = re.compile(r"\w[^/\\]*")


def as_folder(name: str) -> str:
    """A name of data as a folder's.

    Example:
        >>> as_folder("cifar100[0-19]"), as_folder("folder:my/photos@64")
        ('cifar100-0-19', 'folder-my-photos-64')
    """
    return re.sub(r"\W+", "-", name).strip("-")
