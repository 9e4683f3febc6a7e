"""Continual learning: classes come in steps, and a memory of a few images a class is all that is kept of them."""

from __future__ import annotations

from datastill.experiments.continual.learning import Continual, Stage, continual
from datastill.experiments.continual.specification import ContinualExperiment, ContinualRow

__all__ = ["Continual", "ContinualExperiment", "ContinualRow", "Stage", "continual"]
