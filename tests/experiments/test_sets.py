"""Sets that are kept beside their results: what is in the file is what was evaluated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import datastill
import processes
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.evaluation.evaluate import evaluate
from datastill.experiments import Block, Experiment, Row, run_experiment
from datastill.experiments.sets import kept_sets, load_set, results_folder
from datastill.experiments.tables import engine_of
from datastill.report.results import write

TABLE = Experiment(
    "A table",
    (Block("digits[0-2]", (2,), 2, seeds=(0, 1), settings=("real_batch=8",), repeats=1, epochs=3),),
    (Row("random", inherits=False, iterations=0), Row("dm", label="plain")),
    policy=Policy("fp32", compile=False),
    keep_sets=True,
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    experiments = {"table": TABLE, "without": replace(TABLE, keep_sets=False)}
    for name in experiments:
        run_experiment(name, results=folder / "results", runs=folder / "runs", recorded=write, experiments=experiments)
    return folder / "results"


def test_every_set_has_a_name_and_a_line(kept: Path) -> None:
    sets = kept_sets(kept)
    assert list(sets) == [f"digits-0-2/ipc2/{row}/seed{seed}" for row in ("plain", "random") for seed in (0, 1)]
    assert all(each.record.packed == "float16" for each in sets.values())
    assert (
        " on the test split (1 x convnet, DC protocol, 3 epochs); 6 images, hard labels, 2 iterations"
        in sets["digits-0-2/ipc2/plain/seed0"].summary
    )
    page = (kept / "table" / "README.md").read_text()
    assert "`datastill.load_set`" in page
    assert "load_set" not in (kept / "without" / "README.md").read_text()


def test_the_number_is_repeated_from_the_file(kept: Path) -> None:
    for name, each in kept_sets(kept).items():
        cell = each.record.cell
        found = evaluate(
            load_set(name, kept), repeats=1, seed=cell.seed, compare=(), protocol=cell.protocol, engine=engine_of(cell, 0), split=cell.split
        )
        assert found.score.accuracies == each.record.score.accuracies


def test_the_command_of_a_row_evaluates_what_is_kept(kept: Path) -> None:
    table = (kept / "table" / "table.csv").read_text()
    assert "datastill evaluate results/table/plain/seed0 " in table
    done = processes.run(
        "evaluate", "results/table/plain/seed0", "--epochs", "1", "--repeats", "1", "--compare", "none", folder=kept.parent
    )
    assert done.code == 0


def test_a_name_that_is_not_there_is_told(kept: Path, tmp_path: Path) -> None:
    assert datastill.load_set is load_set
    with pytest.raises(UserError, match=r"unknown set 'digits-0-2/ipc2/plan/seed0'. Did you mean 'digits-0-2/ipc2/plain/seed0'"):
        load_set("digits-0-2/ipc2/plan/seed0", kept)
    with pytest.raises(UserError, match="no sets are kept in"):
        load_set("digits/ipc2/dm", tmp_path)


def test_sets_of_one_name_are_told_apart_by_their_experiment(kept: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run_experiment(name, results=tmp_path / "results", runs=tmp_path / "runs", recorded=write, experiments={
            each: replace(TABLE, blocks=(replace(TABLE.blocks[0], seeds=(0,)),), rows=TABLE.rows[:1]) for each in ("one", "two")
        })  # fmt: skip
    assert list(kept_sets(tmp_path / "results")) == ["digits-0-2/ipc2/random@one", "digits-0-2/ipc2/random@two"]
    with pytest.raises(UserError, match=r"several experiments have a set .*: give one of digits-0-2/ipc2/random@one, digits"):
        load_set("digits-0-2/ipc2/random", tmp_path / "results")
    one, two = (load_set(f"digits-0-2/ipc2/random@{name}", tmp_path / "results") for name in ("one", "two"))
    assert torch.equal(one.images, two.images)


def test_a_set_that_another_table_evaluates_again_is_listed_once(tmp_path: Path) -> None:
    made = replace(TABLE, blocks=(replace(TABLE.blocks[0], seeds=(0,)),), rows=TABLE.rows[1:])
    again = replace(made, rows=(Row("dm", of="made/plain", label="plain"),))
    for name in ("made", "again"):
        experiments = {"made": made, "again": again}
        run_experiment(name, results=tmp_path / "results", runs=tmp_path / "runs", recorded=write, experiments=experiments)
    (name,) = kept_sets(tmp_path / "results")
    assert name == "digits-0-2/ipc2/plain"
    assert kept_sets(tmp_path / "results")[name].folder == tmp_path / "results/made/plain"


def test_they_are_listed_from_where_they_are_looked_for(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATASTILL_RESULTS", raising=False)
    monkeypatch.chdir(kept.parent)
    assert results_folder() == Path("results")
    monkeypatch.chdir(tmp_path)
    assert results_folder() == Path(datastill.__file__).parents[2] / "results"
    done = processes.run("list", "sets", "--results", kept, folder=tmp_path)
    assert (done.code, len(done.out.splitlines())) == (0, 4)
    named = processes.run("list", "sets", folder=tmp_path, environment={"DATASTILL_RESULTS": str(kept)})
    assert named.out == done.out
    none = processes.run("list", "sets", "--results", tmp_path, folder=tmp_path)
    assert (none.code, none.err.strip()) == (2, f"datastill: no sets are kept in {tmp_path}: give the folder of results with --results")


def test_a_set_that_is_too_large_is_told_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("datastill.distilled.packed.MOST_BYTES", 100)
    small = replace(TABLE, blocks=(replace(TABLE.blocks[0], seeds=(0,)),), rows=TABLE.rows[:1])
    run_experiment("table", results=tmp_path / "results", runs=tmp_path / "runs", recorded=write, experiments={"table": small})
    assert "the set is not kept: its 384 pixel values" in caplog.text
    assert kept_sets(tmp_path / "results") == {}
