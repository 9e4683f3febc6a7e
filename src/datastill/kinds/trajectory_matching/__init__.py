"""The kind of method that has the training on its images follow recorded training on real images."""

from __future__ import annotations

from datastill.kinds.trajectory_matching.composition import EXPERT, SNAPSHOTS
from datastill.kinds.trajectory_matching.matching import TrajectoryMatching
from datastill.kinds.trajectory_matching.stepper import TrajectoryStepper

__all__ = ["EXPERT", "SNAPSHOTS", "TrajectoryMatching", "TrajectoryStepper"]
