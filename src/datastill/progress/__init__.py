"""Progress of a long job: a bar with rate and time left on a terminal, an occasional line in a log."""

from __future__ import annotations

from datastill.progress.bar import Progress, held_up, held_up_seconds, hidden, progress
from datastill.progress.pace import clock

__all__ = ["Progress", "clock", "held_up", "held_up_seconds", "hidden", "progress"]
