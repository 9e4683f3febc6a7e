from __future__ import annotations

import pytest

from datastill.encoders import growing
from growing_networks import Judge


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Judges growing networks."""
    judge = Judge()
    monkeypatch.setattr(growing, "share_correct", judge)
    return judge
