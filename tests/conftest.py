"""Shared fixtures: a private cache for every test session, tiny data sets, and the real data where it is to be had."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's cache, and none uses more than one thread, so that they can run side by side."""
    patch = pytest.MonkeyPatch()
    patch.setenv("DATASTILL_CACHE", str(tmp_path_factory.mktemp("cache")))
    torch.set_num_threads(1)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; skips, saying so, where ``DATASTILL_DATA`` is not set."""
    root = os.environ.get("DATASTILL_DATA")
    if not root:
        pytest.skip("DATASTILL_DATA is not set: no real data to test with")
    return Path(root)
