"""What every specification must be, so that hours of running do not end in a refusal."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch

from datastill.data import ClassImages, DataSet
from datastill.errors import UserError
from datastill.experiments import EXPERIMENTS, Block, Cell, Experiment, Row, TeacherExperiment
from datastill.experiments.cell import alike
from datastill.experiments.grids import CIFAR10_BUDGET, DIGITS_BUDGET
from datastill.experiments.paper import PAPER
from datastill.experiments.tables import compose
from datastill.teachers.recipe import RECIPES
from small_methods import matching

TABLES = {name: experiment for name, experiment in EXPERIMENTS.items() if isinstance(experiment, Experiment)}
CELLS = {cell.name: cell for name in EXPERIMENTS for cell in EXPERIMENTS[name].cells(name, EXPERIMENTS)}
SETS = {name: cell for name, cell in CELLS.items() if isinstance(cell, Cell)}


SIZES = {
    "svhn": (10, 4200, 3, 32),
    "tinyimagenet": (200, 450, 3, 64),
    "cifar10": (10, 4500, 3, 32),
    "cifar10{whiten=yes}": (10, 4500, 3, 32),
    "cifar100[0-19]": (20, 450, 3, 32),
    "cifar100": (100, 450, 3, 32),
    "digits": (10, 125, 1, 8),
    "folder:photos@64": (5, 216, 3, 64),
}
"""Classes, training images of each, channels and side of the data sets that are named, a tenth held out."""


def like(name: str) -> DataSet:
    """A set of the sizes of a data set, whose images are all one."""
    classes, train, channels, side = SIZES[name]

    def split(images: int) -> ClassImages:
        one = torch.zeros(1, channels, side, side, dtype=torch.uint8)
        return ClassImages(one, torch.zeros(classes * images, dtype=torch.int64), (images,) * classes)

    names = tuple(str(label) for label in range(classes))
    constants = (0.5,) * channels, (0.25,) * channels
    return DataSet(name, split(train), split(train // 9), split(train // 4), names, *constants, flip=True, fingerprint="none")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_cells_have_names_of_their_own_that_are_folders(name: str) -> None:
    cells = EXPERIMENTS[name].cells(name, EXPERIMENTS)
    assert EXPERIMENTS[name].title
    assert cells
    assert len({cell.name for cell in cells}) == len(set(cells)) == len(cells)
    assert pickle.loads(pickle.dumps(cells)) == cells
    assert all(cell.name.startswith(f"{name}/") and not set(cell.name) & set(" ,:[]") for cell in cells)
    assert {cell.data for cell in cells} <= set(SIZES)


KINDS = {alike(cell): cell for cell in SETS.values()}
"""One of the cells that differ in the seed alone."""


@pytest.mark.parametrize("cell", KINDS.values(), ids=lambda cell: cell.name)
def test_a_cell_can_be_run(cell: Cell) -> None:
    data = like(cell.data)
    if cell.name.split("/")[0] in PAPER and (cell.method, cell.ipc) == ("dm+iid", 1):
        with pytest.raises(UserError, match="the term 'cc' needs at least 2 images"):  # the paper has a dash there
            compose(cell, data).check(data, cell.ipc)
    else:
        compose(cell, data).check(data, cell.ipc)
    assert all(0 <= iteration <= cell.iterations for iteration in cell.validate_at)
    assert cell.repeats >= 1


@pytest.mark.parametrize("cell", [cell for cell in KINDS.values() if cell.run != cell.name], ids=lambda cell: cell.name)
def test_a_set_of_another_table_is_what_the_row_says(cell: Cell) -> None:
    table, *_, row = cell.name.removesuffix(f"/seed{cell.seed}").split("/")
    said = next(each for each in TABLES[table].rows if each.name == row)
    assert SETS[cell.run].run == cell.run
    assert (said.method, said.preset or TABLES[table].preset) == (cell.method, cell.preset)
    assert {*TABLES[table].settings, *said.settings} <= set(cell.settings)


@pytest.mark.parametrize("name", [name for name in TABLES if TABLES[name].split == "validation"])
def test_what_was_chosen_is_not_a_result(name: str) -> None:
    """A table of the validation split compares settings, beside the method alone, so it quotes no number of a paper."""
    assert all(row.paper is None and (row.label or "+" not in row.method) for row in TABLES[name].rows)
    assert "Choosing" in TABLES[name].title


def test_a_line_is_called_by_its_method_where_nothing_else_is_said() -> None:
    table = Experiment("T", (Block("digits", (1,), 1),), (Row("dm"), Row("dm", label="again")))
    assert [cell.name for cell in table.cells("t", {})] == ["t/dm", "t/again"]


def test_settings_come_from_table_block_and_row_in_this_order() -> None:
    block = Block("cifar100[0-19]", (2, 5), 7, seeds=(3, 4), settings=("b",))
    rows = (Row("dm", settings=("c",)), Row("random", inherits=False, iterations=0))
    first, *_, last = Experiment("T", (block,), rows, settings=("a",)).cells("t", {})
    assert (first.name, first.settings, first.iterations, first.seed) == ("t/cifar100-0-19-ipc2/dm/seed3", ("a", "b", "c"), 7, 3)
    assert (last.name, last.settings, last.iterations) == ("t/cifar100-0-19-ipc5/random/seed4", (), 0)


def test_every_constraint_meets_every_method_with_equal_budgets() -> None:
    grid = [cell for cell in SETS.values() if cell.name.startswith("grid-cifar10-ipc10/")]
    assert {cell.method for cell in grid} == {
        base + added for base in ("dm", "idm", "datadam", "cafe", "m3d") for added in ("", "+cc", "+cm", "+iid")
    }
    composed = [matching(cell.method, data="cifar10", classes=10, ipc=10, preset=cell.preset) for cell in grid]
    assert {each.real_batch for each in composed} == {64}
    assert len({(cell.iterations, cell.protocol, cell.policy) for cell in grid}) == 1
    assert {cell.settings for cell in grid} == {()}


@pytest.mark.parametrize(("name", "budget"), [("grid-kinds-digits", DIGITS_BUDGET), ("grid-kinds-cifar10-ipc10", CIFAR10_BUDGET)])
def test_every_constraint_meets_methods_of_three_kinds_with_as_many_steps_as_one_budget_pays_for(name: str, budget: float) -> None:
    grid = [cell for cell in SETS.values() if cell.name.startswith(f"{name}/") and cell.method != "random"]
    wanted = {base + added for base in ("dm", "dsa", "mtt") for added in ("", "+cc", "+cm", "+iid")}
    assert sorted((cell.method, cell.seed) for cell in grid) == sorted((method, seed) for method in wanted for seed in range(3))
    assert len({(cell.protocol, cell.policy, cell.repeats) for cell in grid}) == 1
    data = like(grid[0].data)
    for cell in grid:
        assert cell.iterations == round(budget / compose(cell, data).cost(data, cell.ipc)), cell.name


def test_what_is_published_stays_as_it_was_specified() -> None:
    experiment = TABLES["components-cifar10-ipc10"]
    (block,) = experiment.blocks
    assert (block.data, block.ipcs, block.iterations, block.repeats, block.seeds) == ("cifar10", (10,), 1000, 5, (0,))
    # Table 6 of the paper
    assert {row.method: row.paper for row in experiment.rows} == {"dm": 48.5, "dm+cm": 51.6, "dm+cc": 52.2, "dm+iid": 55.1}
    assert all(
        published is None or 1 < published.percent < 100
        for name, table in TABLES.items()
        for published in (line.published for line in table.lines(name, EXPERIMENTS))
    )
    teacher = EXPERIMENTS["teacher-cifar10"]
    assert isinstance(teacher, TeacherExperiment)
    assert (teacher.data, teacher.network) == ("cifar10", "resnet18")
    assert teacher.recipes == {"fast": RECIPES["fast"], "fast-2-epochs": replace(RECIPES["fast"], epochs=2)}
