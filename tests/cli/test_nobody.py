"""A user without a name and a home folder, as in a container."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from commands import refusal
from datastill.cli import main
from datastill.data import cache_folder
from datastill.engine import hardware
from datastill.engine.compiling import KEPT_IN, why_unsafe

ASKED = "this user has no home folder to keep networks in: set DATASTILL_CACHE to a folder of yours"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be that user."""
    pwd = pytest.importorskip("pwd")

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "DATASTILL_CACHE", "LOGNAME", "USER", "LNAME", "USERNAME", KEPT_IN):
        monkeypatch.delenv(name, raising=False)
    hardware.compile_trial.cache_clear()


@pytest.mark.parametrize(
    "words",
    [
        ("distill", "digits", "--method", "dm+cc", "--ipc", "2", "--iterations", "1", "--out", "run"),
        ("distill", "digits", "--method", "dm", "--ipc", "2", "--iterations", "1", "--compile", "--out", "run"),
        ("pretrain", "digits", "--epochs", "1"),
    ],
)
def test_one_line_asks_for_a_folder(words: tuple[str, ...], working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ASKED in refusal(capsys, *words)


def test_what_needs_no_cache_works_and_the_doctor_says_what_is_missing(working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ("--method", "dm", "--ipc", "1", "--iterations", "1", "--real-batch", "8", "--no-compile")
    main(["distill", "digits", *quick, "--out", "run"])
    assert "distilled digits" in capsys.readouterr().out
    main(["doctor"])
    assert f"cache          {ASKED}" in capsys.readouterr().out


def test_the_compiler_finds_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path))
    monkeypatch.setattr(hardware, "compile_trial", lambda: "")
    hardware.why_no_compiler(hardware.device("cpu"))
    assert getpass.getuser() == str(os.getuid())
    assert cache_folder() == tmp_path


def test_compiled_code_may_be_kept_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(KEPT_IN, str(tmp_path / "compiled"))
    assert why_unsafe() == ""
