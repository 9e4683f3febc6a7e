from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys

import pytest
import torch

from datastill.engine import Engine, memory
from datastill.networks import build


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(memory.CONFIGURED)]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "LD_PRELOAD"])
def test_an_allocator_that_the_environment_configures_is_left_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert not memory.keep_buffers.__wrapped__()


FAULTS = """
import ctypes, resource, statistics, torch
from datastill.engine.memory import MMAP_THRESHOLD, keep_buffers
ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, 2**17)  # what glibc begins with and may raise later, depending on where buffers lie
print(keep_buffers() if {kept} else False)
def step():
    for size in (3, 1, 2):
        buffers = [torch.empty(size * 10**6).fill_(1) for _ in range(4)]
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(int(statistics.median(faults() for _ in range(25))))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for the C library of Linux")
def test_freed_buffers_are_kept() -> None:
    found = {}
    for kept in (True, False):
        done = subprocess.run([sys.executable, "-c", FAULTS.format(kept=kept)], capture_output=True, text=True, check=True)
        said, faults = done.stdout.split()
        assert said == str(kept)
        found[kept] = int(faults)
    assert 10 * found[True] < found[False]  # of most steps: now and then buffers find new places


def test_a_c_library_that_cannot_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not memory.keep_buffers.__wrapped__()


def test_networks_on_a_processor_have_buffers_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    monkeypatch.setattr("datastill.engine.engine.keep_buffers", lambda: called.append(True))
    Engine().place(build("convnet", channels=1, classes=2, size=(8, 8)))
    assert called == [True]
    Engine(device=torch.device("meta")).place(build("convnet", channels=1, classes=2, size=(8, 8)))
    assert called == [True]
