from __future__ import annotations

import ctypes
import platform

import pytest
import torch

from datastill.engine import Engine, memory
from datastill.networks import build


def test_freed_buffers_are_kept_but_not_against_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES"):
        with monkeypatch.context() as patched:
            patched.setenv(name, "1")
            assert not memory.keep_buffers.__wrapped__()
    assert memory.keep_buffers.__wrapped__() == (platform.libc_ver()[0] == "glibc")


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
