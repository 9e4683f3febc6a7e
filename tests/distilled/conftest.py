from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The `datasets` package, offline, with a cache of its own that starts empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")  # the variable HF_HOME is read at the first import only
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return datasets
