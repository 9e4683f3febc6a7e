"""Frozen specifications of tables and figures, and what runs them."""

from __future__ import annotations

from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.running import run_experiment
from datastill.experiments.specification import Experiment, Row, TeacherExperiment

__all__ = ["EXPERIMENTS", "Experiment", "Row", "TeacherExperiment", "run_experiment"]
