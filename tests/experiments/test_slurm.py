"""Cells as jobs of submitit, whose own stand-ins for Slurm run them on this machine."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from datastill.cli import main
from datastill.errors import UserError
from datastill.experiments.executors import OnSlurm, Place
from datastill.experiments.specification import Specifications
from small_tables import TABLE, children, driver, records, run

pytest.importorskip("submitit", reason="needs submitit: pip install 'datastill[slurm]'")

ONE: Specifications = {"table": replace(TABLE, rows=TABLE.rows[1:2], blocks=(replace(TABLE.blocks[0], seeds=(0,)),))}
"""A table of one cell."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # submitit leaves log files of its debug jobs open
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes under /proc")
def test_a_job_that_is_killed_is_given_again_and_the_record_is_that_of_a_run_without_jobs(tmp_path: Path) -> None:
    for name, executor in (("straight", None), ("debug", OnSlurm(manager="debug"))):
        run("table", tmp_path / name, executor, ONE)
    assert len(records(tmp_path / "straight")) == 1
    assert records(tmp_path / "debug") == records(tmp_path / "straight")

    command = driver("table", tmp_path / "local", OnSlurm(manager="local"), ONE)
    log = tmp_path / "local" / "runs" / "table" / "dm.log"
    while command.is_alive() and not log.exists():
        time.sleep(0.01)
    (job,) = [child for manager in children(command.pid) for child in children(manager)]
    os.kill(job, signal.SIGKILL)
    command.join(200)
    assert command.exitcode == 0
    assert log.read_text().count("experiment: table/dm") == 2
    assert records(tmp_path / "local") == records(tmp_path / "straight")


def test_what_slurm_cannot_be_asked_for_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, said in (
        (["--slurm", "partition"], "--slurm takes NAME=VALUE, separated by commas, such as partition=gpu,time=600, got 'partition'"),
        (["--slurm", "time=1h"], "the time of a job is a whole number of minutes, such as time=600, got '1h'"),
        (["--gpus", "0.5"], "a job of Slurm has whole GPUs, got --gpus 0.5"),
        (["--address", "auto"], "--address has no use with --executor slurm: leave it out, or give --executor ray"),
    ):
        with pytest.raises(SystemExit):
            main(["experiment", "figure7", "--runs", str(tmp_path / "runs"), "--executor", "slurm", *options])
        assert said in capsys.readouterr().err


def test_where_there_is_no_slurm_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"no jobs can be given to Slurm here \(.*\): run this where `sbatch` works"):
        run("table", tmp_path, OnSlurm(Place(options=("partition=gpu",))), ONE)
    assert not records(tmp_path)
