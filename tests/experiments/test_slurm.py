"""Cells as jobs of submitit, and what cannot be given to Slurm is told in a line."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from datastill.cli import main
from datastill.errors import UserError
from datastill.experiments.executors import OnSlurm, Place
from datastill.experiments.specification import Specifications
from small_tables import SPECIFICATIONS, TABLE, records, run

pytest.importorskip("submitit", reason="needs submitit: pip install 'datastill[slurm]'")

ONE: Specifications = {"table": replace(TABLE, rows=TABLE.rows[1:2], blocks=(replace(TABLE.blocks[0], seeds=(0,)),))}
"""A table of one cell."""


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


@pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning")  # submitit leaves the files of its jobs open
def test_a_job_in_the_process_of_the_command_leaves_the_record_of_a_run_without_jobs(tmp_path: Path) -> None:
    for folder, executor in (("straight", None), ("jobs", OnSlurm(manager="debug"))):
        run("table", tmp_path / folder, executor, ONE)
    assert len(records(tmp_path / "jobs")) == 1
    assert records(tmp_path / "jobs") == records(tmp_path / "straight")


@pytest.mark.long
def test_jobs_of_which_one_is_killed_leave_the_records_of_a_run_without_jobs(tmp_path: Path) -> None:
    killed, over = list[int](), threading.Event()

    def kill() -> None:
        while not killed and not over.wait(0.01):
            for lease in (tmp_path / "jobs" / "runs").rglob(".*.lease"):
                with suppress(OSError, IndexError):  # given back meanwhile, or not written yet
                    process = int(lease.read_text().split()[1])
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)
                    break

    for name in SPECIFICATIONS:
        run(name, tmp_path / "straight", None)
    killing = threading.Thread(target=kill)
    killing.start()
    for name in SPECIFICATIONS:
        run(name, tmp_path / "jobs", OnSlurm(Place(workers=2), manager="local"))
    over.set()
    killing.join()
    assert len(killed) == 1
    assert os.getpid() not in killed
    assert records(tmp_path / "jobs") == records(tmp_path / "straight")
