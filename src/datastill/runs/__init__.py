"""A run: its folder and the loop. The function is `datastill.distill`."""

from __future__ import annotations

from datastill.runs.folder import Run

__all__ = ["Run"]
