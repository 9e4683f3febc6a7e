"""As much as fits into a time: the most informative cells first, and the rest is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datastill.cli import main
from datastill.engine.measuring import Forecast, Part
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.experiments import Block, Experiment, Row, run_experiment
from datastill.experiments.budget import Budget
from datastill.experiments.cell import AnyCell
from datastill.experiments.executors import Local, Place
from datastill.experiments.executors.local import shares
from datastill.experiments.executors.pool import OnCluster
from datastill.experiments.forecast import Measuring
from datastill.experiments.specification import Specifications

TABLE = Experiment(
    "A title",
    (Block("digits[0-2]", (2,), 2, seeds=(0, 1), settings=("real_batch=8",), repeats=1, epochs=1),),
    (Row("dm", settings=("real_batch=16",)), Row("random", inherits=False, iterations=0), Row("dm+cm", 48.5)),
    policy=Policy("fp32", compile=False),
)
CORES = len(shares(1)[0])
"""Of this process."""
INFORMATIVE = ["dm+cm/seed0", "random/seed0", "dm/seed0", "dm+cm/seed1", "random/seed1", "dm/seed1"]
"""A set for every row before a second one; the published one first, then the cheap one."""


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def cells(folder: Path) -> set[str]:
    """Those that are recorded."""
    return {str(path.parent.relative_to(folder / "results" / "table")) for path in (folder / "results").rglob("record.json")}


def run(folder: Path, seconds: float, each: float = 0.0, experiment: Experiment = TABLE) -> tuple[list[str], Budget]:
    """The cells that are run, in this order, and the budget; every cell takes as long as is said."""
    clock = Clock()
    budget, done, before = Budget(seconds, folder / "runs", clock), list[str](), cells(folder)

    def recorded(name: str, results: Path, experiments: Specifications) -> None:
        clock.now += each
        done.extend(cells(folder) - before - set(done))

    run_experiment(
        "table",
        results=folder / "results",
        runs=folder / "runs",
        recorded=recorded,
        experiments={"table": experiment},
        order=budget,
    )
    return done, budget


def test_every_row_has_a_set_before_any_has_two(tmp_path: Path) -> None:
    done, budget = run(tmp_path, 1e6)
    assert (done, budget.left) == (INFORMATIVE, {})


def test_what_does_not_fit_is_left_and_named_and_run_another_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    done, budget = run(tmp_path, 1000, each=600)
    assert done == INFORMATIVE[:2]  # the second one begins within the time, and is not stopped
    # of the row without a set both seeds come before second seeds of others
    assert [name.removeprefix("table/") for name in budget.left] == ["dm/seed0", "dm/seed1", "dm+cm/seed1", "random/seed1"]
    assert "the budget of 16m40s was for 2 of 6 cells; left: table/dm/seed0 (about " in caplog.text
    again, _ = run(tmp_path, 1e6)
    assert again == INFORMATIVE[2:]


def test_a_cell_that_takes_longer_than_the_time_is_left_for_one_that_does_not(tmp_path: Path) -> None:
    rows = (Row("dm", 48.5, iterations=10**9), Row("dm+cm"))
    done, budget = run(tmp_path, 3600, experiment=replace(TABLE, rows=rows))
    assert done == ["dm+cm/seed0", "dm+cm/seed1"]
    assert set(budget.left) == {"table/dm/seed0", "table/dm/seed1"}
    assert all(seconds > 3600 for seconds in budget.left.values())


def test_a_cell_is_measured_with_the_cores_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts, before = list[int](), torch.get_num_threads()

    def seconds(measuring: Measuring, cell: AnyCell) -> float:
        counts.append(torch.get_num_threads())
        return 1.0

    monkeypatch.setattr(Measuring, "seconds", seconds)
    budget = Budget(1e6, tmp_path / "runs", cores=before + 1)
    run_experiment("table", results=tmp_path / "results", runs=tmp_path / "runs", experiments={"table": TABLE}, order=budget)
    assert set(counts) == {before + 1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("executor", "cores", "at_once"),
    [
        (Local(), CORES, 1),
        (Local(CORES), 1, CORES),
        (Local(3 * CORES), 1, CORES),
        (OnCluster(), 1, 1),
        (OnCluster(Place(workers=5, cpus=3)), 3, 5),
    ],
)
def test_the_cores_of_a_cell_and_how_many_run_at_once(executor: Local | OnCluster, cores: int, at_once: int) -> None:
    assert (executor.cores, executor.at_once) == (cores, at_once)


def test_cells_that_run_at_once_end_sooner() -> None:
    parts = (Part("teacher", 10.0, where="cache"), *(Part(str(seconds), seconds) for seconds in (5.0, 3.0, 3.0, 4.0)))
    found = [Forecast("", parts, 0, "cpu", at_once=count).lasts for count in (1, 2, 3, 9)]
    assert found == [25, 19, 17, 15]  # with two: after the teacher, 5 + 4 beside 3 + 3


def test_no_time_is_refused_and_too_little_runs_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a budget is a time above 0, got 0 seconds"):
        Budget(0, tmp_path)
    done, budget = run(tmp_path, 1e-9)
    assert (done, len(budget.left)) == ([], 6)


@pytest.mark.parametrize("text", ["2", "two hours", "2h30", "-1h", "h"])
def test_times_are_written_with_their_unit(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["experiment", "selection", f"--budget={text}"])
    assert f'expected a time such as 2h, 90m or 1h30m, got "{text}"' in capsys.readouterr().err


def test_the_command_runs_what_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        "data: digits[0-2]\nmethods: [{method: dm, iterations: 1000000000}, random]\nipc: 1\nprotocol: {epochs: 1}\n"
        "settings: {real_batch: 8}\nprecision: fp32\ncompile: no\n"
    )
    main(["experiment", "mine.yaml", "--budget", "1h30m", "--repeats", "1"])
    assert [path.parent.name for path in Path("results").rglob("record.json")] == ["random"]
    assert "Not run: `dm`" in Path("results/mine/README.md").read_text()
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["experiment", "mine.yaml", "--budget", "1h", "--dry-run"])
    assert "give one of them" in capsys.readouterr().err
