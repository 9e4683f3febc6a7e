from __future__ import annotations

from pathlib import Path

import pytest

from datastill.data import DataSet
from run_folders import run


@pytest.fixture(scope="session")
def straight(tiny: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of `run_folders.ITERATIONS` steps with the seed 3; no test may change it."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    run(tiny, folder, seed=3)
    return folder
