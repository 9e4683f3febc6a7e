from __future__ import annotations

import pytest

from datastill.data import DataSet
from tiny_sets import data_set


@pytest.fixture(scope="session")
def data() -> DataSet:
    """Three classes of noise; no test may change it."""
    return data_set()
