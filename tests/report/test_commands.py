"""A reader who has only the table's CSV can repeat any of its rows."""

from __future__ import annotations

import csv
import json
import re
import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from datastill.cli import main
from datastill.configuration import flat
from datastill.data import known_size
from datastill.evaluation import Protocol
from datastill.experiments import EXPERIMENTS, Block, Cell, Experiment, Record, Row, run_experiment
from datastill.experiments.choosing import chosen
from datastill.experiments.reading import read_cell
from datastill.methods.grammar import compose
from datastill.report.commands import commands, experiment
from datastill.report.results import write
from datastill.setting import Lookup, Setting
from records import MAKER, record

TABLE = Experiment(
    "A title",
    (
        Block(
            "digits[0-2]", (2,), 3, seeds=(0, 4), settings=("real_batch=8",), validate_at=(0, 3), validation_epochs=2, repeats=2, epochs=3
        ),
    ),
    (
        Row("random", inherits=False, iterations=0),
        Row("dm+cm", settings=("cm.weight=0.5",), preset="fast"),
        Row("dm+cm", label="dm+cm on alexnet", network="alexnet", of="table/dm+cm"),
    ),
    protocol=Protocol(batch=4, learning_rate=0.02),
    compare=("random",),
)


def repeated(words: str) -> list[float]:
    """Type the commands of one set; return the accuracies of its networks."""
    distil, evaluate = (shlex.split(part) for part in words.split(" && "))
    assert (distil[0], evaluate[0]) == ("datastill", "datastill")
    main(distil[1:])
    main([*evaluate[1:], "--out", "evaluation.json"])
    accuracies: list[float] = json.loads(Path("evaluation.json").read_text())["accuracies"]
    return accuracies


def test_the_commands_of_a_row_give_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_experiment("table", results=tmp_path / "results", runs=tmp_path / "runs", recorded=write, experiments={"table": TABLE})
    with (tmp_path / "results" / "table" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    for number, row in enumerate(rows):
        elsewhere = tmp_path / str(number)
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        found = [accuracy for words in row["commands"].split("; ") for accuracy in repeated(words)]
        assert len(found) == int(row["n"]) == 4
        assert sum(found) / 4 == pytest.approx(float(row["accuracy"]), abs=0.005)


def test_every_part_of_a_cell_is_in_its_commands() -> None:
    protocol = Protocol("vgg11", epochs=7, augment=False, momentum=0.5, weight_decay=0.001, learned_rate=False)
    cell = Cell(
        "t/row", "t/a run", "folder:my photos@64", "dm+iid", 5, 3, 40, "code", ("cc.weight=0.1", "views=2"), (0, 40), 9, protocol, 4,
        "validation", ("random", "rendering"),
    )  # fmt: skip
    distil, evaluate = commands(
        record(replace(cell, repeats=2), method={}, evaluation_epochs=7, evaluated_by=replace(MAKER, precision="bf16", compiled=True)), cell
    ).split(" && ")
    assert shlex.split(distil) == [
        "datastill", "distill", "folder:my photos@64", "--method", "dm+iid", "--ipc", "5", "--seed", "3", "--iterations", "40", "--preset",
        "code", "--set", "cc.weight=0.1", "--set", "views=2", "--validate-at", "0,40", "--validation-epochs", "9", "--precision", "fp32",
        "--no-compile", "--out", "runs/t/a run",
    ]  # fmt: skip
    assert shlex.split(evaluate) == [
        "datastill", "evaluate", "runs/t/a run", "--network", "vgg11", "--epochs", "7", "--repeats", "2", "--seed", "3", "--split",
        "validation", "--compare", "random,rendering", "--no-augment", "--no-learned-rate", "--set", "momentum=0.5", "--set",
        "weight_decay=0.001", "--precision", "bf16", "--compile",
    ]  # fmt: skip


def test_values_that_distill_would_look_up_otherwise_are_pinned() -> None:
    cell = Cell("t/row", "t/row", "digits", "dm+cc", 5, 0, 40, "fast", repeats=2)
    before = compose(Lookup("dm+cc", Setting("digits", 2, 5, "fast"))).describe()
    assert "--set pretrained.network=resnet18" in commands(record(cell, method=before), cell)  # for small images `distill` takes a ConvNet
    assert "--set" not in commands(record(cell, method=compose(Lookup("dm+cc", Setting("digits", 2, 5, "fast", 8))).describe()), cell)
    anything = replace(cell, data="folder:photos")  # of a size that its name does not tell
    assert "--set pretrained.network=resnet18" in commands(record(anything, method=before), anything)
    assert "--set" not in commands(record(replace(cell, data="folder:photos@64"), method=before), replace(cell, data="folder:photos@64"))
    changed = {**before, "learning_rate": 3.5, "halve_at": [3, 9], "augment": False}
    words = shlex.split(commands(record(replace(cell, data="cifar10"), method=changed), replace(cell, data="cifar10")))
    assert {"learning_rate=3.5", "halve_at=3,9", "augment=no"} == {words[at + 1] for at, word in enumerate(words) if word == "--set"}


RESULTS = Path(__file__).parents[2] / "results"


PUBLISHED = [name for name in EXPERIMENTS if (RESULTS / name / "table.csv").exists()]


def rows_of(name: str) -> list[dict[str, str]]:
    with (RESULTS / name / "table.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", [name for name in PUBLISHED if isinstance(EXPERIMENTS[name], Experiment)])
def test_the_commands_of_every_published_row_distil_with_the_values_that_it_was_distilled_with(name: str) -> None:
    specified = EXPERIMENTS[name].cells(name, EXPERIMENTS)
    for row in rows_of(name):
        each = row["commands"].split("; ")
        assert len(each) == int(row["sets"])
        assert [re.findall(r"--seed (\d+)", words)[0] for words in each] == row["run_seed"].split(", ")
    for cell in specified:
        found = read_cell(cell, RESULTS)
        if isinstance(cell, Cell) and isinstance(found, Record) and found.method:
            words = shlex.split(commands(found, cell))
            used, composed = flat(found.method), distilled_with(words[: words.index("&&")], len(found.class_names))
            assert {path: used.get(path, value) for path, value in composed.items()} == composed, cell.name  # fields came after it


def distilled_with(words: list[str], classes: int) -> dict[str, object]:
    """Every value of the method that a command distils with."""
    _, _, data, *options = words
    given = {name: value for name, value in pairwise(options) if name in ("--method", "--ipc", "--preset")}
    settings = tuple(value for name, value in pairwise(options) if name == "--set")
    size = known_size(data)
    setting = Setting(data.partition("[")[0], classes, int(given["--ipc"]), given.get("--preset", "paper"), min(size) if size else None)
    composed = compose(Lookup(given["--method"], setting, settings))
    return flat(json.loads(json.dumps(composed.describe())))


@pytest.mark.parametrize("name", [name for name in PUBLISHED if not isinstance(EXPERIMENTS[name], Experiment)])
def test_the_command_of_every_published_row_of_an_application_runs_its_cells_and_no_others(name: str) -> None:
    cells = EXPERIMENTS[name].cells(name, EXPERIMENTS)
    ran = set[str]()
    for row in rows_of(name):
        words = shlex.split(row["commands"])
        assert words[:3] == ["datastill", "experiment", name]
        found = chosen(name, cells, words[words.index("--only") + 1].split(","))
        assert {str(getattr(cell, "seed", 0)) for cell in found} == set(row.get("seeds", row.get("seed", "")).split(", "))
        assert len({cell.name.rpartition("/")[0] for cell in found}) == 1
        ran |= {cell.name for cell in found}
    assert ran == {cell.name for cell in cells if read_cell(cell, RESULTS)}


def test_the_command_of_a_row_names_its_cells_its_networks_and_how_they_were_computed() -> None:
    found = record(Cell("f-scale0.1/dm/seed3", "", "digits", "dm", 2, 3, 9, repeats=2), evaluated_by=replace(MAKER, compiled=True))
    assert shlex.split(experiment("f-scale0.1", [found], 2)) == [
        "datastill", "experiment", "f", "--scale", "0.1", "--only", "dm/seed3", "--precision", "fp32", "--compile", "--results", "repeated",
        "--runs", "repeated/runs",
    ]  # fmt: skip
    assert shlex.split(experiment("f-scale0.1", [found, found], 3))[5:-4] == [
        "--only", "dm/seed3,dm/seed3", "--repeats", "2", "--precision", "fp32", "--compile",
    ]  # fmt: skip


def test_the_command_of_an_applications_row_gives_its_numbers(working_folder: Path) -> None:
    small = ["--scale", "0.02", "--only", "method=random,seed=0", "--repeats", "1", "--precision", "bf16", "--no-compile"]
    main(["experiment", "figure7-digits", *small, "--results", "first", "--runs", "runs"])
    name = "figure7-digits-scale0.02"
    (row,) = csv.DictReader((working_folder / "first" / name / "table.csv").read_text().splitlines())
    main(shlex.split(row["commands"])[1:])
    (again,) = csv.DictReader((working_folder / "repeated" / name / "table.csv").read_text().splitlines())
    differing = {column for column in row if row[column] != again[column]}
    assert (row["accuracy"] != "", row["evaluation_precision"]) == (True, "bf16")  # not as the experiment has it
    assert not {column for column in differing if "second" not in column and "minute" not in column}


def test_the_protocol_of_evaluate_is_set_by_its_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for setting, said in (
        ("batch=none", "batch must be a whole number such as 256"),
        ("bach=3", "unknown setting of the protocol 'bach'. Did you mean 'batch'?"),
        ("momentum=1", "a momentum in [0, 1) and a weight decay of at least 0, got 1.0"),
        ("network=vgg11", "--set network=vgg11 contradicts the network convnet: give it with --network"),
    ):
        with pytest.raises(SystemExit):
            main(["evaluate", str(tmp_path), "--set", setting])
        assert said in capsys.readouterr().err
