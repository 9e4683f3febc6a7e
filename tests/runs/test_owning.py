"""A run touches only what is its own, and only one process is at work on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from datastill.data import DataSet
from datastill.errors import UserError
from datastill.files import locked
from datastill.runs import Run
from datastill.runs.distill import distill
from small_methods import small

CONFIG: dict[str, Any] = {"data": {"name": "tiny"}, "method": {"name": "dm"}, "ipc": 2, "seed": 0, "iterations": 40}
THEIRS = (".mydata.partial", ".notes.4711.partial", "checkpoint/best.safetensors", "checkpoint/.mydata.partial", "deep/.x.partial")


def write(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return {name: name for name in names}


def read(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in names if (folder / name).exists()}


def test_a_new_run_does_not_remove_what_a_user_keeps(tmp_path: Path) -> None:
    kept = write(tmp_path, (".mydata.partial",))
    with pytest.raises(UserError, match="is not empty and does not hold a run"):
        Run(tmp_path).begin(CONFIG, resume=False)
    assert read(tmp_path, (".mydata.partial",)) == kept
    assert [path.name for path in tmp_path.iterdir()] == [".mydata.partial"]


def test_continuing_and_pruning_remove_nothing_of_a_user(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.begin(CONFIG, resume=False)
    kept = write(tmp_path, THEIRS)
    for iteration in (1, 2, 3):
        run.checkpoint(iteration, {"pixels": torch.zeros(1)})
    run.close()
    assert run.begin(CONFIG, resume=True)[0] == 3
    run.close()
    assert read(tmp_path, THEIRS) == kept
    assert sorted(path.name for path in (tmp_path / "checkpoint").glob("0*")) == ["00000002.safetensors", "00000003.safetensors"]


def test_checkpoints_are_in_the_order_of_their_iterations_whatever_their_length(tmp_path: Path) -> None:
    run, most = Run(tmp_path), 99_999_999
    run.begin({**CONFIG, "iterations": 2 * most}, resume=False)
    for iteration in (most - 1, most, most + 1):
        run.checkpoint(iteration, {"pixels": torch.zeros(1)})
    run.close()
    assert run.begin({**CONFIG, "iterations": 2 * most}, resume=True)[0] == most + 1
    run.close()
    assert len(list((tmp_path / "checkpoint").iterdir())) == 2


def test_a_run_is_begun_by_one_process_at_a_time(tmp_path: Path) -> None:
    first, second = Run(tmp_path / "run"), Run(tmp_path / "run")
    first.begin(CONFIG, resume=False)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=rf"the run in {tmp_path / 'run'} is in use by process {os.getpid()} on .*: wait until"):
        second.begin(CONFIG, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    first.record({"iteration": 1, "loss": 1.0})
    first.close()
    assert second.begin(CONFIG, resume=True) == (0, {})
    second.close()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["config.yaml", "metrics.jsonl"]


def test_a_run_that_another_process_is_about_to_begin_is_not_begun(tmp_path: Path) -> None:
    with locked(tmp_path / "run" / "config.yaml", "the run"):
        with pytest.raises(UserError, match="is in use by process"):
            Run(tmp_path / "run").begin(CONFIG, resume=False)
        assert not (tmp_path / "run" / "config.yaml").exists()


def test_a_refused_run_holds_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.begin(CONFIG, resume=False)
    run.close()
    for _ in range(2):
        with pytest.raises(UserError, match="another configuration"):
            run.begin({**CONFIG, "ipc": 3}, resume=True)
    Run(tmp_path).begin(CONFIG, resume=True)


def test_distilling_lets_go_of_its_run_in_the_end(tmp_path: Path, tiny: DataSet) -> None:
    options: dict[str, Any] = {"method": small("dm"), "ipc": 1, "out": tmp_path / "run"}
    distill(tiny, **options, iterations=1)
    distill(tiny, **options, iterations=2, resume=True)
    assert not list((tmp_path / "run").rglob(".datastill-*"))


@pytest.mark.long
def test_two_commands_continue_one_run_one_after_the_other(tmp_path: Path) -> None:
    """The second one ends with one line and exit code 2, and the first one's metrics and set are whole."""
    command = [
        sys.executable, "-m", "datastill", "distill", "digits", "--method", "dm", "--ipc", "1", "--iterations", "100000",
        "--real-batch", "16", "--out", str(tmp_path / "run"), "--checkpoint-seconds", "0", "--resume", "--no-compile",
    ]  # fmt: skip
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while not list(tmp_path.glob("run/checkpoint/0*")):
            assert first.poll() is None
        second = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()
    assert second.returncode == 2
    assert "Traceback" not in second.stderr
    assert second.stderr.splitlines()[-1].startswith(f"datastill: the run in {tmp_path / 'run'} is in use by process {first.pid} on ")
    run = Run(tmp_path / "run")
    done = [entry["iteration"] for entry in run.metrics()]
    assert done == list(range(1, len(done) + 1))
