"""What a bug report needs, and completion for shells."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from commands import refusal
from datastill.cli import main
from datastill.data import cache_folder
from datastill.engine import hardware
from datastill.report.doctor import findings
from processes import run

SHELLS = {"bash": "bash-completion/completions/datastill", "zsh": "_cyclopts_datastill", "fish": "completions/datastill.fish"}


def test_a_report_has_versions_machine_and_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASTILL_TARGETS_GB", "3")
    (cache_folder() / "networks" / "of-the-doctor").mkdir(parents=True, exist_ok=True)
    (cache_folder() / "networks" / "of-the-doctor" / "file").write_bytes(bytes(3000))
    found = dict(findings())
    assert f"torch {torch.__version__.partition('+')[0]}" in found["packages"]
    assert str(os.cpu_count()) in found["processor"]
    assert float(found["speed"].split()[0]) > 0
    assert "doctor --compile" in found["compiler"]
    assert str(cache_folder()) in found["cache"]
    assert "networks" in found["cache"]
    assert "DATASTILL_TARGETS_GB=3" in found["environment"]
    assert "TORCHINDUCTOR" not in found["environment"] or "TORCHINDUCTOR_CACHE_DIR" in os.environ


def test_the_compiler_is_tried_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "why_no_compiler", lambda device: pytest.fail("it was tried"))
    assert "found, not tried" in dict(findings())["compiler"]
    monkeypatch.setattr(hardware, "why_no_compiler", lambda device: "it is broken")
    found = dict(findings(compile=True))
    assert found["compiler"] == "it is broken"
    assert "convolutions" not in found


def test_the_command_prints_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["datastill", "python", "system", "packages"]
    assert all(line[:14].strip() for line in lines)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_learns_the_commands(shell: str, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", "ZSH_CUSTOM": ""}
    assert run("--install-completion", "--shell", shell, environment=environment).code == 0
    (script,) = [path for path in tmp_path.rglob("*datastill*") if path.is_file()]
    assert str(script).endswith(SHELLS[shell])
    assert all(word in script.read_text() for word in ("distill", "dry-run", "resume"))


def test_a_shell_that_is_not_known_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("SHELL", "ZSH_VERSION", "BASH_VERSION", "FISH_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getppid", lambda: 2**22)  # no process has that number
    assert "give it with --shell bash, zsh, fish or powershell" in refusal(capsys, "--install-completion")
