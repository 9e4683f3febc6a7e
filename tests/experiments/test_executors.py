"""Cells in other processes, which are killed at random moments: the records are those of an uninterrupted run."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

import processes
from datastill.cli import main
from datastill.errors import UserError
from datastill.experiments import Cell
from datastill.experiments.cell import AnyCell
from datastill.experiments.executors import Place, local, named_executor
from datastill.experiments.executors.local import shares
from datastill.experiments.executors.queue import MOST_TRIES, TRIES, Queue
from datastill.experiments.performing import Outcome, Task
from datastill.files import locked
from small_tables import FORKED, SPECIFICATIONS, TABLE, children, driver, gone, records, run


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The records of runs in one process, without an interruption."""
    folder = tmp_path_factory.mktemp("straight")
    for name in SPECIFICATIONS:
        run(name, folder, None)
    assert len(records(folder)) == 7
    return records(folder)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes under /proc")
@pytest.mark.parametrize("least", [3, pytest.param(10, marks=pytest.mark.long)])
def test_after_kills_at_random_moments_the_records_are_those_of_an_uninterrupted_run(
    tmp_path: Path, straight: dict[str, Any], least: int
) -> None:
    moments, kills = random.Random(0), 0
    for turn, latest in enumerate((1.5, 1.0, 0.5, 0.5, 0.2, 0.2, 0.05)):  # seconds: a fast machine is done before the first of them
        folder = tmp_path / str(turn)
        kills += sum(killed(name, folder, moments, latest) for name in SPECIFICATIONS)
        assert records(folder) == straight
        if kills >= least:
            return
    raise AssertionError(f"only {kills} kills hit a run")


def killed(name: str, folder: Path, moments: random.Random, latest: float) -> int:
    """Run an experiment to its end, up to five times killed within `latest` seconds of its start; the number of kills."""
    kills = 0
    while True:
        process = driver(name, folder)
        process.join(moments.uniform(latest / 2, latest))
        if process.is_alive() and kills < 5:
            workers = children(process.pid)
            victim = moments.choice([process.pid, *workers])
            os.kill(victim or 0, signal.SIGKILL)
            kills += 1
            if victim != process.pid:  # another worker takes its cell over
                process.join(moments.uniform(0.1, 1.0))
                process.kill() if process.is_alive() and moments.random() < 0.5 else None
            process.join(60)
            gone(workers)  # those whose driver is gone end by themselves
        else:
            process.join(120)
        if process.exitcode == 0:
            return kills
        assert process.exitcode == -signal.SIGKILL


def damage(folder: Path) -> None:
    """Make the run that two cells of the table share one that cannot be continued."""
    path = folder / "runs" / "table" / "dm" / "seed0" / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("no: configuration\n")


def test_a_cell_that_fails_is_told_with_its_log_and_does_not_end_the_others(
    tmp_path: Path, straight: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    damage(tmp_path)
    with pytest.raises(UserError, match=r"2 of 6 cells failed, the others are recorded: .*table/dm/seed0 \(.*seed0\.log"):
        run("table", tmp_path)
    assert "configuration" in (tmp_path / "runs" / "table" / "dm" / "seed0.log").read_text()
    assert "experiment: table/random/seed1" in (tmp_path / "runs" / "table" / "random" / "seed1.log").read_text()
    expected = {place: record for place, record in straight.items() if place.startswith("results/table") and "random" in place}
    assert {place: record for place, record in records(tmp_path).items() if "random" in place} == expected
    assert len(records(tmp_path)) == 4
    assert "table/dm/seed0 failed: " in caplog.text
    assert "(4 of 6 cells)" in (tmp_path / "results" / "table" / "README.md").read_text()


def test_also_where_cells_run_here_one_that_fails_does_not_end_the_others(
    tmp_path: Path, straight: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    damage(tmp_path)
    with pytest.raises(UserError, match=r"2 of 6 cells failed, the others are recorded: table/dm/seed0 \(.*config\.yaml"):
        run("table", tmp_path, None)
    assert [line for line in caplog.messages if "table/dm/seed0 failed: " in line]
    assert sum(" failed: " in line for line in caplog.messages) == 2
    assert {place: record for place, record in straight.items() if place in records(tmp_path)} == records(tmp_path)
    assert len(records(tmp_path)) == 4


def test_a_cell_that_another_process_runs_is_waited_for(tmp_path: Path) -> None:
    only = replace(TABLE, rows=TABLE.rows[:1], blocks=(replace(TABLE.blocks[0], seeds=(0,)),))
    process = multiprocessing.get_context("fork").Process(target=run, args=("table", tmp_path, FORKED, {"table": only}))
    with locked(tmp_path / "runs" / "table" / "random", "the cell"):
        process.start()
        process.join(1.5)
        assert process.is_alive()
        assert not records(tmp_path)
    process.join(60)
    assert process.exitcode == 0
    assert len(records(tmp_path)) == 1


class Starting:
    """Starts processes as `multiprocessing` does, but says of the first one that it was killed; it is there all the same, and listens."""

    def __init__(self) -> None:
        self.pipes = list[tuple[Connection, Connection]]()

    def Pipe(self) -> tuple[Connection, Connection]:  # noqa: N802 (as there)
        self.pipes.append(multiprocessing.Pipe())
        return self.pipes[-1]

    def Process(self, target: object, args: tuple[Connection, object], name: str) -> Starting:  # noqa: N802
        theirs, _ = args
        self.listening = Connection(os.dup(theirs.fileno()))
        return self

    def start(self) -> None:
        if len(self.pipes) == 1:
            self.first = self.listening
            raise EOFError


def test_what_is_left_of_a_start_that_failed_takes_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "PAUSE", 0)
    starting, one = Starting(), task(TABLE.cells("table", SPECIFICATIONS)[0])
    local._Worker(starting, frozenset()).give(one)
    assert starting.listening.recv() == one
    with pytest.raises(EOFError):  # where it waited on the same pipe, it would take the task and leave the other one without
        starting.first.recv()


def task(cell: AnyCell) -> Task:
    return Task(cell, Path("results"), Path("runs"))


def test_two_cells_of_one_run_are_never_under_way_at_once_and_a_lost_one_is_tried_again() -> None:
    dm, _, again, *_ = (task(cell) for cell in TABLE.cells("table", SPECIFICATIONS)[2:])
    assert isinstance(dm.cell, Cell)
    other = task(replace(dm.cell, name="other", run="other"))
    queue = Queue([dm, again, other])
    assert (again.run, again.name) == (dm.run, "table/again/seed0")
    assert [queue.take(), queue.take(), queue.take()] == [dm, other, None]
    for turn in range(TRIES - 1):
        assert queue.lost(dm, "was ended by SIGKILL") is None
        taken = queue.take()
        assert taken == (again if turn == 0 else dm)
        if taken == again:
            assert queue.ended(Outcome(again)) == Outcome(again)
            assert queue.take() == dm
    lost = queue.lost(dm, "was ended by SIGKILL")
    assert lost is not None
    assert lost.failure == f"its process was ended by SIGKILL, {TRIES} times without getting further"
    assert not queue.over
    queue.ended(Outcome(other))
    assert queue.over


@pytest.mark.parametrize("where", ["run/checkpoint/{}.safetensors", "run.evaluations.json", "run/set{}.answers"])
def test_a_cell_is_tried_again_as_long_as_it_gets_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path / "cache"))
    of, queue = alone(tmp_path)
    for turn in range(3 * TRIES):
        assert queue.take() == of
        path = tmp_path / where.format(turn)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * (turn + 1))
        assert queue.lost(of, "was ended by SIGKILL") is None
    for name in ("run/metrics.jsonl", "run/config.yaml", "run.log"):  # what every try writes
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / name).write_text("again")
    assert [queue.take() and queue.lost(of, "was ended") is None for _ in range(TRIES)] == [True] * (TRIES - 1) + [False]


def test_networks_that_are_trained_meanwhile_count_for_a_while_as_they_may_be_of_another_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "earlier.safetensors").write_text("of another command")
    of, queue = alone(tmp_path)
    network = tmp_path / "cache" / "networks" / "0.safetensors"
    network.parent.mkdir(parents=True)
    found = []
    for turn in range(MOST_TRIES):
        assert queue.take() == of
        network.write_text("a network")
        os.utime(network, (turn + 1, turn + 1))
        found.append(queue.lost(of, "was ended by SIGKILL"))
    assert found[:-1] == [None] * (MOST_TRIES - 1)
    assert found[-1] is not None
    assert found[-1].failure == f"its process was ended by SIGKILL, {MOST_TRIES} times without getting further"


def alone(folder: Path) -> tuple[Task, Queue]:
    """A cell whose run is in a folder, and a queue of it alone."""
    cell = TABLE.cells("table", SPECIFICATIONS)[2]
    assert isinstance(cell, Cell)
    of = Task(replace(cell, run="run"), folder, folder)
    return of, Queue([of])


def test_every_worker_has_cores_of_its_own() -> None:
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    for workers in range(1, len(cores) + 1):
        parts = shares(workers)
        assert sorted(core for part in parts for core in part) == cores
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(len(part) == 1 for part in shares(len(cores) + 2))


def test_the_command_refuses_executors_that_there_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, said in (
        (["--executor", "locl"], "unknown executor 'locl'. Did you mean 'local'?"),
        (["--executor", "local", "--gpus", "1"], "--gpus has no use with --executor local: leave it out, or give --executor ray or"),
        (["--executor", "local", "--address", "auto"], "--address has no use with --executor local: leave it out, or give --executor ray"),
        (["--gpus", "1"], "--gpus is for --executor"),
        (["--executor", "ray", "--gpus", "-1"], "--gpus must be a finite number of at least 0, got -1"),
        (["--executor", "local", "--workers", "0"], "--workers must be a whole number of at least 1, got 0"),
        (["--workers", "2"], "--workers is for --executor"),
    ):
        with pytest.raises(SystemExit):
            main(["experiment", "figure7", "--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs"), *options])
        assert said in capsys.readouterr().err


def test_the_command_runs_cells_in_processes_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("title: Mine\ndata: digits[0-1]\nmethods: random\nipc: 1\nprotocol: {epochs: 1}\nrepeats: 1\n")
    done = processes.run("experiment", "mine.yaml", "--executor", "local", "--workers", "2", folder=tmp_path)
    assert (done.code, done.out) == (0, "results in results/mine\n")
    assert (tmp_path / "results" / "mine" / "random" / "record.json").exists()
    assert "evaluating 1 x convnet" in (tmp_path / "runs" / "mine" / "random.log").read_text()


@pytest.mark.parametrize(("executor", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_an_executor_whose_package_is_not_there_names_the_extra(executor: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"`executor={executor}` needs the package {package}: pip install 'datastill\[{executor}\]'"):
        named_executor(executor, Place())
