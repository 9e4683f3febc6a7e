from __future__ import annotations

import os

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from datastill.engine.compiling import KEPT_IN, keep_compiled


def test_compiled_code_is_kept_with_the_other_caches_unless_the_user_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", "/somewhere")
    monkeypatch.setenv(KEPT_IN, "what to put back")
    monkeypatch.delenv(KEPT_IN)
    keep_compiled()
    assert os.environ[KEPT_IN] == "/somewhere/compiled"
    monkeypatch.setenv(KEPT_IN, "/elsewhere")
    keep_compiled()
    assert os.environ[KEPT_IN] == "/elsewhere"


def test_the_folder_that_torch_chooses_by_itself_is_not_the_users_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    monkeypatch.setenv("DATASTILL_CACHE", "/somewhere")
    monkeypatch.setenv(KEPT_IN, "what to put back")
    monkeypatch.delenv(KEPT_IN)
    with FlopCounterMode(display=False):
        torch.zeros(2, 2) @ torch.zeros(2, 2)
    assert cache_dir() == os.environ[KEPT_IN]  # what counting operations does the first time
    keep_compiled()
    assert os.environ[KEPT_IN] == "/somewhere/compiled"
