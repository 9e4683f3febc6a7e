from __future__ import annotations

import pytest

from datastill.progress import bar as module
from terminals import Clock, Screen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    for name, value in {"_file": screen, "is_interactive": True, "_width": 80, "_environ": {"TERM": "xterm"}}.items():
        monkeypatch.setattr(module.console, name, value)
    return screen
