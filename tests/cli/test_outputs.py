"""Outputs that are closed, full, broken, or too poor for the text, and a command that goes on all the same."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from datastill.cli import main
from datastill.cli.outputs import Output, claimed
from datastill.distilled import DistilledSet
from processes import STATES, run
from tiny_sets import distilled_set

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
QUICK = ("--method", "dm", "--ipc", "1", "--iterations", "3", "--real-batch", "8", "--no-compile")


def shell(line: str, *words: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of the shell in which ``"$@"`` is the command with these words."""
    return subprocess.run(
        ["bash", "-c", line, "bash", sys.executable, "-m", "datastill", *map(str, words)],
        capture_output=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


def test_a_log_on_a_full_disk_does_not_end_a_run(tmp_path: Path) -> None:
    done = run("distill", "digits", *QUICK, "--out", tmp_path / "run", streams=("closed", "kept", "full"))
    assert done.code == 0
    assert done.out.startswith("distilled digits with dm")
    assert len(DistilledSet.load(tmp_path / "run")) == 10


def test_an_evaluation_is_saved_whatever_reads_it(tmp_path: Path) -> None:
    main(["distill", "digits", *QUICK, "--out", str(tmp_path / "run")])
    words = ("evaluate", tmp_path / "run", "--repeats", "1", "--epochs", "1", "--compare", "none", "--out", tmp_path / "found.json")
    done = run(*words, streams=("closed", "broken", "kept"))
    assert done.code == 141
    assert "Traceback" not in done.err
    assert json.loads((tmp_path / "found.json").read_text())["n"] == 1


FULL = "datastill: No space left on device: not everything could be printed; everything else is done\n"


@pytest.mark.parametrize("error", STATES)
@pytest.mark.parametrize(("output", "code"), [("closed", 0), ("kept", 0), ("broken", 141), ("full", 2)])
def test_what_a_command_does_is_done_whatever_its_outputs_are(output: str, code: int, error: str, tmp_path: Path) -> None:
    distilled_set().save(tmp_path / "set")
    done = run("show", tmp_path / "set", "--out", tmp_path / "picture.png", streams=("broken", output, error))
    assert done.code == code
    assert done.out.startswith("images ") == (output == "kept")
    assert done.err == (FULL if (output, error) == ("full", "kept") else "")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("error", STATES)
def test_a_mistake_exits_with_2_where_it_cannot_be_said(error: str, tmp_path: Path) -> None:
    done = run("show", tmp_path / "nowhere", streams=("closed", "kept", error))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("datastill: no distilled set at ") == (error == "kept")


def test_a_new_process_starts_without_outputs(tmp_path: Path) -> None:
    distilled_set().save(tmp_path / "set")
    done = shell('"$@" <&- >&- 2>&-', "show", tmp_path / "set", "--out", tmp_path / "picture.png")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_never_takes_the_place_of_a_closed_output(tmp_path: Path) -> None:
    opened = "import os; from datastill.cli.outputs import claimed\nwith claimed(): print(os.open(os.devnull, os.O_RDONLY) > 2, flush=True)"
    done = shell(f"{sys.executable} -c '{opened}' <&- 2>&-")
    assert (done.returncode, done.stdout) == (0, b"True\n")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_names_that_an_output_cannot_hold_are_escaped(encoding: str, tmp_path: Path) -> None:
    names = ("猫", "caf\udce9", "é")
    distilled_set(names).save(tmp_path / "set")
    done = shell('"$@"', "show", tmp_path / "set", PYTHONIOENCODING=encoding, PYTHONUTF8="0", LC_ALL="C", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0, done.stderr
    cat, cafe = "猫" if encoding == "utf-8" else r"\u732b", r"caf\udce9"
    third = r"\xe9" if encoding == "ascii" else "é"
    assert f"classes     {cat}, {cafe}, {third}" in done.stdout.decode(encoding)


def test_an_output_takes_everything_and_says_what_became_of_it(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    output = Output(write)
    os.close(read)
    assert output.write(b"x" * 10) == 10
    assert isinstance(output.error, BrokenPipeError)
    os.close(write)
    with (tmp_path / "log").open("wb") as file:
        output = Output(file.fileno())
        assert (output.write(b"abc"), output.error) == (3, None)
        assert output.closefd is False
    assert (tmp_path / "log").read_bytes() == b"abc"


def test_a_slow_reader_of_an_output_that_does_not_wait_gets_everything(tmp_path: Path) -> None:
    program = tmp_path / "slow.py"
    program.write_text("import os\nfrom datastill.cli.outputs import Output\nos.set_blocking(1, False)\nOutput(1).write(b'x' * 10**6)\n")
    done = shell(f"{sys.executable} {program} | (sleep 1; wc -c)")
    assert done.stdout.split() == [b"1000000"], done.stderr


def test_outputs_that_a_caller_put_in_place_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = io.StringIO()
    monkeypatch.setattr(sys, "stdout", mine)
    with claimed() as outputs:
        assert sys.stdout is mine
        assert outputs == []
    main(["list", "networks"])
    assert mine.getvalue().startswith("convnet ")


@pytest.mark.parametrize("columns", ["0", "1", "2", "-3", "abc", "²", "99999999999", ""])
def test_help_comes_at_once_on_any_terminal(
    columns: str, terminal: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    main(["distill", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert 50 < len(lines) < 300
    assert 30 < max(map(len, lines)) <= 80
