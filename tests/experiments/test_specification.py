"""What every specification must be, so that hours of running do not end in a refusal."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from datastill.data import ClassImages, DataSet
from datastill.experiments import EXPERIMENTS, Experiment, Row, TeacherExperiment
from datastill.methods import method
from datastill.networks import NETWORKS
from datastill.setting import PRESETS
from small_methods import matching

TABLES = {name: experiment for name, experiment in EXPERIMENTS.items() if isinstance(experiment, Experiment)}
LINES = [(name, row.name) for name, experiment in TABLES.items() for row in experiment.rows]


CLASSES = {"cifar10": 10, "cifar100": 100}


def like(name: str) -> DataSet:
    """A set of the sizes of CIFAR-10 or CIFAR-100 with a tenth held out, whose images are all one."""
    classes = CLASSES[name]

    def split(images: int) -> ClassImages:
        each = images // classes
        return ClassImages(torch.zeros(1, 3, 32, 32, dtype=torch.uint8), torch.zeros(images, dtype=torch.int64), (each,) * classes)

    names = tuple(str(label) for label in range(classes))
    return DataSet(name, split(45_000), split(5_000), split(10_000), names, (0.5,) * 3, (0.25,) * 3, flip=True, fingerprint="none")


def line(table: str, name: str) -> tuple[Experiment, Row]:
    experiment = TABLES[table]
    return experiment, experiment.rows[experiment.names.index(name)]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_lines_have_names_of_their_own_that_are_folders(name: str) -> None:
    experiment = EXPERIMENTS[name]
    assert experiment.title
    assert experiment.names
    assert len(set(experiment.names)) == len(experiment.names)
    assert not any("/" in line or "," in line for line in experiment.names)  # of a path, and of --only
    assert experiment.data in CLASSES  # see `like`


@pytest.mark.parametrize(("table", "name"), LINES)
def test_a_line_can_be_run(table: str, name: str) -> None:
    experiment, row = line(table, name)
    preset, settings = row.preset or experiment.preset, (*experiment.settings, *row.settings)
    data = like(experiment.data)
    composed = method(row.method, data=data.name, classes=data.classes, ipc=experiment.ipc, preset=preset, settings=settings)
    composed.check(data, experiment.ipc)
    iterations, due = composed.iterations(row.iterations or experiment.iterations), row.validate_at or experiment.validate_at
    assert all(0 <= iteration <= iterations for iteration in due)
    assert row.network in NETWORKS
    assert preset in PRESETS
    assert experiment.repeats >= 1
    assert row.paper is None or 10 < row.paper < 100


@pytest.mark.parametrize(("table", "name"), [entry for entry in LINES if line(*entry)[1].of])
def test_a_set_of_another_table_is_there_and_is_what_the_line_says(table: str, name: str) -> None:
    experiment, row = line(table, name)
    other, origin = line(*row.of.split("/"))
    assert not origin.of
    assert (row.method, experiment.data, experiment.ipc, experiment.iterations) == (origin.method, other.data, other.ipc, other.iterations)
    assert (row.preset or experiment.preset) == (origin.preset or other.preset)
    assert (experiment.seed, experiment.settings, row.settings) == (other.seed, other.settings, origin.settings)


@pytest.mark.parametrize("name", [name for name in TABLES if TABLES[name].split == "validation"])
def test_what_was_chosen_is_not_a_result(name: str) -> None:
    """A table of the validation split compares settings, so it quotes no number of a paper, and no line of it stands for a method."""
    assert all(row.paper is None and row.label for row in TABLES[name].rows)
    assert "Choosing" in TABLES[name].title


def test_a_line_is_called_by_its_method_where_nothing_else_is_said() -> None:
    assert Row("dm+cc").name == "dm+cc"
    assert Row("dm+cc", label="quick").name == "quick"
    assert replace(TABLES["components-cifar10-ipc10"], rows=(Row("dm"), Row("dm", label="again"))).names == ("dm", "again")
    teachers = [experiment for experiment in EXPERIMENTS.values() if isinstance(experiment, TeacherExperiment)]
    assert teachers
    assert all(experiment.names == tuple(experiment.recipes) for experiment in teachers)


def test_every_constraint_meets_every_method_with_equal_budgets() -> None:
    grid = TABLES["grid-cifar10-ipc10"]
    assert set(grid.names) == {base + added for base in ("dm", "idm", "datadam", "cafe", "m3d") for added in ("", "+cc", "+cm", "+iid")}
    composed = [matching(row.method, data="cifar10", classes=10, ipc=10, preset=grid.preset) for row in grid.rows]
    assert {each.real_batch for each in composed} == {64}
    assert not any(row.iterations or row.settings for row in grid.rows)
