"""Training on images that follows recorded training on real images: the method itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from datastill import random
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.engine.curvature import Weights
from datastill.kinds.method import Measured, Stepper
from datastill.kinds.trajectory_matching.composition import SNAPSHOTS, TrajectoryComposition
from datastill.kinds.trajectory_matching.stepper import TrajectoryStepper
from datastill.logs import logger
from datastill.networks import build
from datastill.teachers.trajectories import MOST_BYTES_OF_EXPERTS, trajectories
from datastill.text import counted

log = logger(__name__)


@dataclass(frozen=True)
class TrajectoryMatching(TrajectoryComposition):
    """A `TrajectoryComposition` that can be run.

    Example:
        >>> TrajectoryMatching("mine", inner=20).kind
        'trajectory matching'
    """

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Train experts that are missing and draw the first images (see `Method.open`)."""
        runs = trajectories(data, self.network, self.experts, self.trained, SNAPSHOTS, engine, most=MOST_BYTES_OF_EXPERTS)
        reached = ", ".join(f"{100 * run.accuracies[-1]:.1f}%" for run in runs)
        log.info("experts: %s of %s, %s of the last epoch right", counted(len(runs), "run"), self.network, reached)
        return TrajectoryStepper(self, data, engine, ipc, seed, [[tuple(each.values()) for each in run.snapshots] for run in runs])

    def measure(self, data: DataSet, engine: Engine, ipc: int, seed: int, iterations: int) -> Measured:
        """Take a few steps from untrained experts (see `Method.measure`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        experts: list[list[Weights]] = [[]]
        for epoch in range(self.trained.epochs + 1):
            network.reset(random.generator(0, epoch, "untrained expert"))
            experts[0].append(tuple(value.clone() for value in network.weights().values()))
        stepper = TrajectoryStepper(self.untrained(data), data, engine, ipc, seed, experts)
        return Measured.of(stepper, iterations, math.lcm(*(encoder.every for encoder in self.used().values())))
