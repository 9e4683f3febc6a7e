"""Frozen specifications of tables and figures, and what runs them."""

from __future__ import annotations

from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.cell import Cell, ContinualCell, TeacherCell
from datastill.experiments.continual import ContinualExperiment, ContinualRow
from datastill.experiments.file import read_experiment
from datastill.experiments.record import ContinualRecord, Record, TeacherRecord
from datastill.experiments.running import run_experiment
from datastill.experiments.specification import Block, Experiment, Row, TeacherExperiment
from datastill.experiments.tables import run_cell

__all__ = [
    "EXPERIMENTS",
    "Block",
    "Cell",
    "ContinualCell",
    "ContinualExperiment",
    "ContinualRecord",
    "ContinualRow",
    "Experiment",
    "Record",
    "Row",
    "TeacherCell",
    "TeacherExperiment",
    "TeacherRecord",
    "read_experiment",
    "run_cell",
    "run_experiment",
]
