"""Loggers: where else the figures of a run go, such as TensorBoard. One that fails never ends a run."""

from __future__ import annotations

from datastill.runs.loggers.guarded import LOGGERS, NAMES, Loggers
from datastill.runs.loggers.logger import RunLogger

__all__ = ["LOGGERS", "NAMES", "Loggers", "RunLogger"]
