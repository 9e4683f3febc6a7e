"""Exhausted memory is one line that says what to lower, whoever noticed it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from datastill.cli.exhausted import exhausted
from datastill.cli.program import run
from datastill.errors import UserError
from datastill.runs.job import Job

LARGE = 2**60
ALLOCATE: dict[str, Callable[[], object]] = {
    "torch": lambda: torch.empty(LARGE, dtype=torch.uint8),
    "numpy": lambda: np.empty(LARGE, dtype=np.uint8),
    "python": lambda: bytes(LARGE),
}


@pytest.mark.parametrize("name", ALLOCATE)
def test_it_is_noticed_for_what_it_is(name: str) -> None:
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        ALLOCATE[name]()
    assert exhausted(caught.value)
    assert not exhausted(RuntimeError("something else"))
    assert not exhausted(ValueError("out of memory"))


def test_it_is_noticed_where_there_is_no_memory_for_the_code_itself() -> None:
    assert exhausted(ImportError("libtorch_cuda.so: failed to map segment from shared object"))
    assert exhausted(ImportError("lib.so: cannot allocate memory in static TLS block"))
    assert not exhausted(ImportError("cannot import name 'x'"))


def test_what_never_fits_is_refused_before_a_compiler_is_tried(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("datastill.engine.policy.Policy.resolve", lambda *arguments: pytest.fail("an engine was chosen"))
    with pytest.raises(SystemExit):
        run(["distill", "digits", "--method", "dm", "--init", "noise", "--ipc", "1000000000", "--dry-run"])
    assert "of memory: lower --ipc" in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(UserError, match="of memory: lower `ipc`"):
        Job.of("digits", "dm", settings=["initialisation=noise"], ipc=10**9)


@pytest.mark.parametrize("name", ALLOCATE)
def test_the_command_says_what_to_lower(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("datastill.runs.distill._distilled", lambda *arguments: ALLOCATE[name]())
    with pytest.raises(SystemExit) as left:
        run(["distill", "digits", "--method", "random", "--ipc", "1", "--out", str(tmp_path / "run")])
    assert left.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("datastill: the memory is exhausted: lower --ipc, or --set real_batch, views or factor; datastill resume ")


@pytest.mark.skipif(sys.platform != "linux", reason="no limit on the address space")
def test_a_limit_within_which_nothing_can_be_loaded_is_one_line_and_help_needs_none() -> None:
    bound = 2**30  # enough for Python, too little for PyTorch

    def limited(*words: str) -> subprocess.CompletedProcess[str]:
        command = ("import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2); "
                   "sys.argv[1:] = sys.argv[2:]; runpy.run_module('datastill', run_name='__main__')")  # fmt: skip
        return subprocess.run([sys.executable, "-c", command, str(bound), *words], capture_output=True, text=True)

    refused = limited("distill", "digits", "--method", "random", "--ipc", "1", "--out", "nowhere")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == ("datastill: PyTorch cannot be loaded within 1.07 GB of memory, the limit of this process: raise ulimit -v\n")
    assert limited("--version").returncode == 0
