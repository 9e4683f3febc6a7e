"""The command: parse, call, print; the only place that knows flags."""

from __future__ import annotations

from datastill.cli.program import main

__all__ = ["main"]
