"""The command in a process of its own, stopped by real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

import datastill
from datastill import DistilledSet
from datastill.runs import Run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no such signals")
PATIENCE = 300.0
LONG = ("distill", "digits", "--method", "dm", "--ipc", "1", "--iterations", "100000", "--real-batch", "8", "--no-compile")


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the command; what is still running at the end of the test is killed."""
    running: list[subprocess.Popen[str]] = []

    def started(*words: str, ignored: Sequence[int] = ()) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": ""}
        before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
        try:
            running.append(subprocess.Popen([sys.executable, "-m", "datastill", *words], env=environment, text=True,
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE))  # fmt: skip
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return running[-1]

    yield started
    for process in running:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something holds while a process runs."""
    began = time.monotonic()
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_run_is_kept_to_the_last_step_and_goes_on_to_the_same_bits(name: str, tmp_path: Path, start: Start) -> None:
    number, out = getattr(signal, name), tmp_path / "run"
    process = start(*LONG, "--checkpoint-seconds", "1000", "--out", str(out))
    wait_for((out / "config.yaml").exists, process)
    time.sleep(1)
    process.send_signal(number)
    printed, said = process.communicate(timeout=PATIENCE)
    by = "" if name == "SIGINT" else f" by {name}"
    assert (process.returncode, printed) == (128 + number, "")
    assert said.splitlines()[-1:] == [f"datastill: stopped{by}; datastill resume {out} continues the run"]
    assert "Traceback" not in said
    run = Run(out)
    steps = [entry["iteration"] for entry in run.metrics()]
    assert steps == list(range(1, len(steps) + 1))
    assert [path.stem for path in sorted((out / "checkpoint").glob("*"))] == ([f"{len(steps):08d}"] if steps else [])


@pytest.mark.parametrize("delay", [0.3, 0.8, 1.5])
def test_there_is_no_traceback_while_the_program_starts(delay: float, tmp_path: Path, start: Start) -> None:
    out = tmp_path / "run"
    process = start("distill", "digits", "--ipc", "2", "--out", str(out))
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in said
    *before, last = said.splitlines()
    assert last in ("datastill: stopped; the run had not begun", f"datastill: stopped; datastill resume {out} continues the run")
    assert not [line for line in before if "Error" in line]  # a fast processor has read the data by then, and says what it found


def test_ctrl_c_before_anything_is_imported_is_answered_in_a_line() -> None:
    program = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "datastill.cli.outputs":
            os.kill(os.getpid(), signal.SIGINT)

from datastill.__main__ import main
sys.meta_path.insert(0, Interrupting())
sys.argv[1:] = ["distill", "digits", "--ipc", "2", "--out", "nowhere"]
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "datastill: stopped; the run had not begun\n"


def test_a_second_signal_ends_it_at_once(tmp_path: Path, start: Start) -> None:
    out = tmp_path / "run"
    process = start(*LONG, "--out", str(out))
    wait_for((out / "config.yaml").exists, process)
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    process.communicate(timeout=PATIENCE)
    assert process.returncode in (143, -signal.SIGTERM)  # it may have been quicker


def test_a_signal_that_the_parent_had_ignored_stays_ignored(tmp_path: Path, start: Start) -> None:
    process = start("distill", "digits", "--method", "dm", "--ipc", "1", "--iterations", "3", "--real-batch", "8",
                      "--out", str(tmp_path / "run"), ignored=[signal.SIGHUP])  # fmt: skip
    time.sleep(1)
    process.send_signal(signal.SIGHUP)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    straight = datastill.distill(
        "digits", method=datastill.method("dm", ipc=1, preset="paper", settings=["real_batch=8"]), ipc=1, iterations=3
    )
    assert torch.equal(DistilledSet.load(tmp_path / "run").images, straight.images)
