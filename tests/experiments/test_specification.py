"""What every specification must be, so that hours of running do not end in a refusal."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch

from datastill.data import ClassImages, DataSet, load
from datastill.experiments import EXPERIMENTS, Block, Cell, Experiment, Row, TeacherExperiment
from datastill.experiments.tables import compose
from datastill.teachers.recipe import RECIPES
from small_methods import matching

TABLES = {name: experiment for name, experiment in EXPERIMENTS.items() if isinstance(experiment, Experiment)}
CELLS = {cell.name: cell for name in EXPERIMENTS for cell in EXPERIMENTS[name].cells(name, EXPERIMENTS)}
SETS = {name: cell for name, cell in CELLS.items() if isinstance(cell, Cell)}


def like(name: str, classes: int, size: int) -> DataSet:
    """A set of the sizes of a published one with a tenth held out, whose images are all one."""

    def split(images: int) -> ClassImages:
        pixels = torch.zeros(1, 3, size, size, dtype=torch.uint8)
        return ClassImages(pixels, torch.zeros(classes * images, dtype=torch.int64), (images,) * classes)

    names = tuple(str(label) for label in range(classes))
    return DataSet(name, split(450), split(50), split(100), names, (0.5,) * 3, (0.25,) * 3, flip=True, fingerprint="none")


@pytest.fixture(scope="module")
def sets() -> dict[str, DataSet]:
    photographs = "folder:photos@64"
    small = {"cifar10": like("cifar10", 10, 32), "cifar100": like("cifar100", 100, 32), photographs: like(photographs, 8, 64)}
    small["cifar100[0-19]"] = like("cifar100[0-19]", 20, 32)
    return {"digits": load("digits"), **small}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_cells_have_names_of_their_own_that_are_folders(name: str) -> None:
    cells = EXPERIMENTS[name].cells(name, EXPERIMENTS)
    assert EXPERIMENTS[name].title
    assert cells
    assert len({cell.name for cell in cells}) == len(set(cells)) == len(cells)
    assert pickle.loads(pickle.dumps(cells)) == cells
    assert all(cell.name.startswith(f"{name}/") and not set(cell.name) & set(" ,:[]") for cell in cells)


@pytest.mark.parametrize("name", TABLES)
def test_its_cells_can_be_run(name: str, sets: dict[str, DataSet]) -> None:
    for cell in TABLES[name].cells(name, EXPERIMENTS):
        data = sets[cell.data]
        compose(cell, data).check(data, cell.ipc)
        assert all(0 <= iteration <= cell.iterations for iteration in cell.validate_at)
        assert cell.repeats >= 1


@pytest.mark.parametrize("cell", [cell for cell in SETS.values() if cell.run != cell.name], ids=lambda cell: cell.name)
def test_a_set_of_another_table_is_what_the_row_says(cell: Cell) -> None:
    table, _, row = cell.name.partition("/")
    said = next(each for each in TABLES[table].rows if each.name == row)
    assert SETS[cell.run].run == cell.run
    assert (said.method, said.preset or TABLES[table].preset) == (cell.method, cell.preset)
    assert {*TABLES[table].settings, *said.settings} == set(cell.settings)


@pytest.mark.parametrize("name", [name for name in TABLES if TABLES[name].split == "validation"])
def test_what_was_chosen_is_not_a_result(name: str) -> None:
    """A table of the validation split compares settings, so it quotes no number of a paper, and no line of it stands for a method."""
    assert all(row.paper is None for row in TABLES[name].rows)
    assert all(row.label or row is TABLES[name].rows[0] for row in TABLES[name].rows)  # the first may be what the others change
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
    assert len({(cell.iterations, cell.settings, cell.protocol, cell.policy) for cell in grid}) == 1


def test_what_is_published_stays_as_it_was_specified() -> None:
    experiment = TABLES["components-cifar10-ipc10"]
    (block,) = experiment.blocks
    assert (block.data, block.ipcs, block.iterations, block.repeats, block.seeds) == ("cifar10", (10,), 1000, 5, (0,))
    # Table 6 of the paper
    assert {row.method: row.paper for row in experiment.rows} == {"dm": 48.5, "dm+cm": 51.6, "dm+cc": 52.2, "dm+iid": 55.1}
    assert all(
        published is None or 10 < published < 100
        for name, table in TABLES.items()
        for published in (line.published for line in table.lines(name, EXPERIMENTS))
    )
    teacher = EXPERIMENTS["teacher-cifar10"]
    assert isinstance(teacher, TeacherExperiment)
    assert (teacher.data, teacher.network) == ("cifar10", "resnet18")
    assert teacher.recipes == {"fast": RECIPES["fast"], "fast-2-epochs": replace(RECIPES["fast"], epochs=2)}
