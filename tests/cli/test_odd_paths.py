"""Paths that lead to no file or folder of ours, given to every command that takes one: one line, at once, and nothing is written."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import pytest

from datastill.cli import main

SECONDS = 60
"""Within which a command has refused: a pipe or a device would make it wait for ever."""


class LateError(BaseException):
    """Nothing catches it, as a command may catch a TimeoutError and refuse the path for that reason."""


def _socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path.name)
    finally:
        os.chdir(before)


THINGS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a socket": _socket,
    "an empty folder": Path.mkdir,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "an empty file": Path.touch,
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 8),
}
"""What may be at a path."""
INPUTS: dict[str, tuple[str, ...]] = {
    "show": ("show", "X"),
    "compare": ("compare", "X"),
    "evaluate": ("evaluate", "X"),
    "evaluate file": ("evaluate", "X.pt", "--data", "digits"),
    "resume": ("resume", "X"),
    "report": ("report", "./X"),
    "site": ("site", "X", "--out", "site"),
    "watch": ("watch", "X"),
    "export": ("export", "X", "exported"),
    "push": ("push", "X", "owner/name", "--dry-run"),
    "distill --config": ("distill", "--config", "X.yaml", "--out", "run"),
    "distill folder": ("distill", "folder:X@8", "--out", "run"),
    "distill parquet": ("distill", "parquet:X@8", "--out", "run"),
    "distill arrow": ("distill", "arrow:X@8", "--out", "run"),
    "distill tinyimagenet": ("distill", "tinyimagenet:X", "--out", "run"),
    "pretrain": ("pretrain", "folder:X@8"),
    "experiment": ("experiment", "X.yaml"),
    "analyse": ("analyse", "X"),
}
"""Commands that read a path, X."""
WITHIN: dict[tuple[str, ...], str] = {
    ("resume", "X"): "config.yaml",
    ("watch", "X"): "config.yaml",
    ("show", "X"): "images.safetensors",
    ("compare", "X"): "evaluation.json",
    ("compare", "X/record.json"): "record.json",
    ("report", "./X"): "cell/record.json",
}
"""Commands that read a folder, X, and a file in it."""
FINE = {("watch", "an empty folder"), ("watch", "a link to nothing")}
"""A run that has not begun is waited for."""


def refused(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says in standard error where it refuses, as it should, in a line; "" where it does not refuse."""

    def late(number: int, frame: FrameType | None) -> None:
        raise LateError(f"no answer after {SECONDS} seconds")

    before, handler, code = sorted(Path().rglob("*")), signal.signal(signal.SIGALRM, late), None
    signal.alarm(SECONDS)
    try:
        main([*words])
    except SystemExit as left:
        code = left.code
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
    said = capsys.readouterr().err
    if code is None:
        return ""
    assert (code, len(said.splitlines()), said.partition(" ")[0]) == (2, 1, "datastill:"), said
    assert sorted(Path().rglob("*")) == before
    return said


@pytest.mark.parametrize("command", INPUTS)
def test_a_path_that_cannot_be_read_is_refused_in_a_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (name,) = (found[0] for word in INPUTS[command] if (found := re.search(r"X[.a-z]*", word)))
    for thing, make in THINGS.items():
        folder = tmp_path / thing.replace(" ", "-")
        folder.mkdir()
        monkeypatch.chdir(folder)
        make(Path(name))
        line = refused(INPUTS[command], capsys)
        assert (name in line) is ((command, thing) not in FINE), (thing, line)


@pytest.mark.parametrize("command", WITHIN)
def test_a_pipe_in_the_place_of_a_file_of_ours_is_refused_in_a_line(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("X", WITHIN[command])
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert "X" in refused(command, capsys)
