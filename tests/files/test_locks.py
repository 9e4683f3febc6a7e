"""One process at a time, and never a lock without a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datastill.errors import UserError
from datastill.files import OURS, locked

HOLD = """
import sys, time
from pathlib import Path
from datastill.files import locked
with locked(Path(sys.argv[1]), "the run"):
    print("held", flush=True)
    sys.stdin.read()
"""
COUNT = """
import logging, sys, time
from pathlib import Path
from datastill.files import locked, write_atomic
path = Path(sys.argv[1])
logging.basicConfig(level=logging.INFO, format="%(message)s")
for _ in range(int(sys.argv[2])):
    with locked(path, "the count", wait=True):
        number = int(path.read_text())
        time.sleep(0.002)
        write_atomic(path, str(number + 1))
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run"
    with holder(path) as process:
        refused = f"the run is in use by process {process.pid} on .*: wait until that process has ended, or end it"
        with pytest.raises(UserError, match=refused), locked(path, "the run"):
            pass
        with locked(path.with_name("other"), "another run"):
            pass
        process.communicate("", timeout=60)
    with locked(path, "the run"):
        pass
    assert names(path.parent) == []


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path / "run") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [bool(OURS.fullmatch(name)) for name in names(tmp_path)] == [True]
    with locked(tmp_path / "run", "the run"):
        pass
    assert names(tmp_path) == []


def test_the_same_process_is_no_exception(tmp_path: Path) -> None:
    with locked(tmp_path / "run", "the run"):
        with pytest.raises(UserError, match=f"in use by process {os.getpid()} on"), locked(tmp_path / "run", "the run"):
            pass
        with pytest.raises(UserError, match="in use"), locked(tmp_path / "run", "the run"):  # the refusal did not release it
            pass


def test_a_waiting_process_says_so_and_then_has_its_turn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with holder(tmp_path / "0.safetensors") as process:
        release = subprocess.Popen(["sh", "-c", f"sleep 2.5; kill -9 {process.pid}"])
        began = time.monotonic()
        with locked(tmp_path / "0.safetensors", "network 0", wait=True):
            waited = time.monotonic() - began
        release.wait()
    assert 1.5 < waited < 60
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert said[0].startswith(f"waiting for process {process.pid} on ")
    assert said[0].endswith(", which is working on network 0")


def test_processes_that_wait_lose_nothing(tmp_path: Path) -> None:
    """Two processes count in one file: a lock that two hold at once, or one that is removed under another, loses a count."""
    (tmp_path / "count").write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path / "count"), "50"]) for _ in range(2)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    assert (tmp_path / "count").read_text() == "100"
    assert names(tmp_path) == ["count"]


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    with locked(tmp_path / "run", "the run"):
        (name,) = names(tmp_path)
    (tmp_path / "mine").write_text("mine")
    (tmp_path / name).symlink_to("mine")
    with pytest.raises(UserError, match=r"cannot write .*run"), locked(tmp_path / "run", "the run"):
        pass
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*run .*choose another folder"), locked(tmp_path / "file" / "run", "the run"):
        pass
