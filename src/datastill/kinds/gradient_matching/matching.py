"""Gradients of a network's weights on real and on synthetic images, matched while the network is trained: the method itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.kinds.gradient_matching.composition import GradientComposition
from datastill.kinds.gradient_matching.stepper import GradientStepper
from datastill.kinds.method import Measured, Stepper


@dataclass(frozen=True)
class GradientMatching(GradientComposition):
    """A `GradientComposition` that can be run.

    Example:
        >>> GradientMatching("mine", matches=10, epochs=50, augment=False).kind
        'gradient matching'
    """

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Initialise the pixels (see `Method.open`)."""
        return GradientStepper(self, data, engine, ipc, seed)

    def measure(self, data: DataSet, engine: Engine, ipc: int, seed: int, iterations: int) -> Measured:
        """Take steps until the next network begins and all encoders were read, or the run ends (see `Method.measure`)."""
        period = min(math.lcm(self.matches, *(encoder.every for encoder in self.used().values())), max(1, iterations - 1))
        return Measured.of(self.untrained(data).open(data, engine, ipc, seed), iterations, period)
