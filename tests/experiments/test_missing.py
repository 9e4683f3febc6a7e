"""What cannot be run is told before anything is, left out, and shown as missing."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from datastill.data import DataSet, load
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.experiments import Block, Experiment, Row, run_experiment, running
from datastill.experiments.running import to_run
from datastill.report.results import write

BLOCK = Block("digits[0-2]", (1, 2), 2, settings=("real_batch=8",), repeats=1, epochs=2)
ABSENT = Block("folder:absent", (2,), 2, repeats=1, epochs=2, label="absent photographs")


def run(folder: Path, experiment: Experiment, *only: str) -> str:
    """Run an experiment and return its page."""
    experiments = {"table": experiment}
    target = run_experiment("table", results=folder / "results", runs=folder / "runs", only=only, recorded=write, experiments=experiments)
    return (target / "README.md").read_text()


def test_a_data_set_that_is_not_there_does_not_stop_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = (Row("dm", {("absent photographs", 2): 77.7}), Row("dm+cm"))
    page = run(tmp_path, Experiment("A title", (BLOCK, ABSENT), rows))
    told = [record.message for record in caplog.records if record.message.startswith("left out: ")]
    assert len(told) == 2
    assert told[0].startswith("left out: table/digits-0-2-ipc1/dm+cm (the term 'cm' needs at least 2 images")
    assert told[1].startswith("left out: table/absent-photographs-ipc2/dm, table/absent-photographs-ipc2/dm+cm (")
    first = next(number for number, record in enumerate(caplog.records) if record.message.startswith("experiment: "))
    assert all(record.message not in told for record in caplog.records[first:])  # told before anything is run
    assert page.startswith("# A title (3 of 6 cells)\n\nNot run: `digits-0-2-ipc1/dm+cm`, ")
    assert "| `dm` | 2 | not run |  |  | 77.7 |" in page
    overview = [line for line in page.splitlines() if line.startswith("| `dm+cm` | not run | ")]
    assert len(overview) == 1
    assert overview[0].endswith("| not run |")
    assert "0.00" not in overview[0]
    with (tmp_path / "results" / "table" / "table.csv").open() as file:
        lines = [(line["data"], line["ipc"], line["method"]) for line in csv.DictReader(file)]
    assert lines == [("digits[0-2]", "1", "dm"), ("digits[0-2]", "2", "dm"), ("digits[0-2]", "2", "dm+cm")]


def test_where_nothing_can_be_run_the_reason_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing that is missing can be run: .*absent"):
        run(tmp_path, Experiment("A title", (ABSENT,), (Row("dm"),)))
    with pytest.raises(UserError, match=r"nothing that is missing can be run: .*at least 2 images"):
        run(tmp_path, Experiment("A title", (BLOCK,), (Row("dm"), Row("dm+cm"))), "digits-0-2-ipc1/dm+cm")
    assert not (tmp_path / "runs").exists()


def test_data_that_is_not_there_is_looked_for_once_and_only_where_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    def counted(name: str) -> DataSet:
        asked.append(name)
        return load(name)

    monkeypatch.setattr(running, "load", counted)
    rows = (Row("random", inherits=False, iterations=0), Row("random", label="again", inherits=False, iterations=0))
    table = Experiment("A title", (BLOCK, ABSENT), rows)
    for policy, times in ((Policy("fp32", compile=False), 0), (Policy(), 1)):
        asked.clear()
        part = to_run("table", results=tmp_path, only=["ipc=1"], experiments={"table": replace(table, policy=policy)})
        assert [cell.name for cell in part.cells] == ["table/digits-0-2-ipc1/random", "table/digits-0-2-ipc1/again"]
        assert asked.count(ABSENT.data) == times  # the largest job of the whole table settles what a policy leaves open


def test_what_is_not_asked_for_is_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(tmp_path, Experiment("A title", (BLOCK, ABSENT), (Row("dm"),)), "digits-0-2-ipc1")
    assert "left out" not in caplog.text
