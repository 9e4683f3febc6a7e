from __future__ import annotations

import pytest

from datastill.kinds.distribution_matching.store import LIMIT


@pytest.fixture
def no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other limit of the size of kept targets is given than the default."""
    monkeypatch.delenv(LIMIT, raising=False)
