"""A cell is run by one process, and nothing is run that could not be recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datastill.errors import UserError
from datastill.experiments import Block, Experiment, Row, TeacherExperiment, run_experiment, tables, teachers
from datastill.experiments.earlier import remove_earlier
from datastill.experiments.specification import Specifications
from datastill.files import locked
from datastill.report.results import write
from datastill.teachers.recipe import RECIPES

SPECIFICATIONS: Specifications = {
    "tiny": Experiment("Tiny", (Block("digits", (1,), 1, repeats=1, epochs=1),), (Row("random", inherits=False, iterations=0),)),
    "teachers": TeacherExperiment("Teachers", "digits", "convnet", recipes={"one": RECIPES["fast"]}),
}


def experiment(name: str, folder: Path, **options: Any) -> Path:
    options = {"results": folder / "results", "runs": folder / "runs", **options}
    return run_experiment(name, recorded=write, experiments=SPECIFICATIONS, **options)


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_a_cell_that_another_process_runs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delattr(tables, "_run")
    monkeypatch.delattr(teachers, "_run")
    (cell,) = SPECIFICATIONS[name].cells(name, SPECIFICATIONS)
    with locked(tmp_path / "runs" / cell.name, "the cell"), pytest.raises(UserError, match=f"the cell {cell.name} is in use by process"):
        experiment(name, tmp_path)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("place", ["results", "runs"])
def test_a_place_that_cannot_be_written_is_found_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.delattr(tables, "_run")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file.deep .*choose another folder"):
        experiment("tiny", tmp_path, **{place: tmp_path / "file" / "deep"})


def test_nothing_of_ours_is_left_beside_the_results(tmp_path: Path) -> None:
    experiment("tiny", tmp_path)
    assert not list(tmp_path.rglob(".datastill-*"))
    assert (tmp_path / "results" / "tiny" / "README.md").exists()


def test_only_an_evaluation_of_an_earlier_version_makes_room_for_a_record(tmp_path: Path) -> None:
    earlier = {"class_names": [], "comparisons": {}, "made_by": {}, "n": 1, "protocol": {}}
    for number, content in enumerate((json.dumps({"mine": 1}), "[]", "no JSON", json.dumps(earlier))):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "evaluation.json").write_text(content)
        remove_earlier(tmp_path / str(number))
    remove_earlier(tmp_path)
    assert [(tmp_path / str(number) / "evaluation.json").exists() for number in range(4)] == [True, True, True, False]
