"""What a bug report needs, and completion for shells."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from commands import refusal
from datastill.cli import main
from datastill.data import cache_folder
from datastill.engine import hardware
from datastill.methods import METHODS
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


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_names_of_methods_data_sets_and_networks(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": ""}
    assert run("--install-completion", "--shell", "bash", environment=environment).code == 0
    (script,) = [path for path in tmp_path.rglob("*datastill*") if path.is_file()]

    def completed(*words: str) -> list[str]:
        program = 'source "$1"; shift; COMP_WORDS=(datastill "$@"); COMP_CWORD=$#; _datastill; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", program, "-", str(script), *words], capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert completed("dis") == ["distill"]
    assert completed("distill", "cifar") == ["cifar10", "cifar100"]
    assert {"digits", "folder:", "hub:"} <= set(completed("distill", ""))
    assert set(METHODS) <= set(completed("distill", "digits", "--method", ""))
    assert {"dm+iid", "dm+cc"} <= set(completed("distill", "digits", "--method", "dm+"))
    assert completed("evaluate", "run", "--network", "vgg") == ["vgg11"]
    assert completed("distill", "digits", "--preset", "f") == ["fast"]
    assert completed("experiment", "dm-cifar10-ipc1") != []
    assert completed("list", "met") == ["methods"]
    assert "--label-column" in completed("distill", "digits", "--la")
    assert "complete -o default -F _datastill datastill" in script.read_text()  # files where no name fits


def test_a_shell_that_is_not_known_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("SHELL", "ZSH_VERSION", "BASH_VERSION", "FISH_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getppid", lambda: 2**22)  # no process has that number
    assert "give it with --shell bash, zsh, fish or powershell" in refusal(capsys, "--install-completion")
