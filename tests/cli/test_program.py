from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands import TINY_RUN, refusal
from datastill.cli import main
from datastill.cli.stopped import line
from datastill.distilled import DistilledSet
from doubles import Disk
from tiny_sets import distilled_set


def test_a_full_disk_is_said_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str], disk: Disk) -> None:
    distilled_set().save(tmp_path / "set")
    disk.fill()
    for arguments in (
        ("distill", "digits", *TINY_RUN, "--out", str(tmp_path / "run")),
        ("export", str(tmp_path / "set"), str(tmp_path / "exported"), "--format", "dc"),
    ):
        line = refusal(capsys, *arguments)
        assert f"no space left on the disk to write {tmp_path}" in line
        assert "free some space" in line
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), "No space left on device: /a/b; free some space"),
        (OSError(errno.EIO, "Input/output error", "/a/b"), "Input/output error: /a/b"),
        (OSError("cannot open\nthe library"), "cannot open the library"),
    ],
)
def test_an_error_of_the_system_is_one_line(
    error: OSError, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> DistilledSet:
        raise error

    monkeypatch.setattr(DistilledSet, "load", fail)
    assert refusal(capsys, "show", "somewhere").startswith(f"datastill: {line}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["distill", "digits", "--out", "somewhere"], "stopped; the run had not begun"),
        (["distill", "digits", "--out", "some where", "--resume"], "stopped; datastill resume 'some where' continues the run"),
        (["resume", "some where"], "stopped; the same command continues"),
        (["pretrain", "digits"], "stopped; the same command continues"),
        (["evaluate", "somewhere"], "stopped; with --out the same command would continue"),
        (["evaluate", "somewhere", "--out", "result.json"], "stopped; the same command continues"),
        (["show", "somewhere"], "stopped"),
    ],
)
def test_ctrl_c_says_how_to_go_on(
    arguments: list[str], said: str, working_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (working_folder / "some where").mkdir()
    (working_folder / "some where" / "config.yaml").write_text("seed: 0\n")

    def stop(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DistilledSet, "load", stop)
    monkeypatch.setattr("datastill.data.load", stop)
    monkeypatch.setattr("datastill.runs.plan.Plan.read", stop)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 130
    assert capsys.readouterr().err == f"datastill: {said}\n"


def test_a_dry_run_that_is_stopped_begins_anew() -> None:
    assert line(signal.SIGTERM, ["experiment", "table6"]) == "datastill: stopped by SIGTERM; the same command continues"
    said = "datastill: stopped by SIGTERM; nothing that was measured is kept"
    assert line(signal.SIGTERM, ["experiment", "table6", "--dry-run"]) == said


LIST = "from datastill.cli import main; main(['list', 'networks'])"


@pytest.mark.skipif(os.name == "nt", reason="no such pipes")
@pytest.mark.parametrize("buffering", ["", "1"])
def test_a_reader_that_has_gone_ends_the_command_in_silence(buffering: str) -> None:
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONUNBUFFERED": buffering}
    done = subprocess.run([sys.executable, "-c", LIST], stdout=write, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_that_is_full_is_one_line() -> None:
    with Path("/dev/full").open("w") as output:
        environment = {**os.environ, "PYTHONUNBUFFERED": ""}
        done = subprocess.run([sys.executable, "-c", LIST], stdout=output, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("datastill: No space left on device")
    assert len(done.stderr.splitlines()) == 1
