"""Snapshots of training runs on the real images, one of them for every step."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.encoders.encoder import Encoder, Session
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import checksum
from datastill.logs import logger
from datastill.networks import build
from datastill.teachers.missing import Untrained
from datastill.teachers.pool import bytes_of_run, moments_of, pool_folder
from datastill.teachers.recipe import RECIPES, TrainingRecipe
from datastill.teachers.snapshots import Snapshots
from datastill.teachers.trajectories import check_size, kept, trajectories

log = logger(__name__)


@dataclass(frozen=True)
class TrajectoryNetwork(Encoder):
    """Draws a run and one of its snapshots every iteration; runs that are missing are trained first, once for each data set and recipe.

    ``theta = (1 - l) theta_k + l theta_0``, k a snapshot between two epochs, l uniform in [0, 1) or 0, theta_0 the run's first weights.

    Encoders of one method draw the same run, and, if they draw from the same epochs, the same k: `later` makes one read a snapshot of the
    same run, up to that many epochs later.

    Args:
        network: A name of `datastill.networks.NETWORKS`.
        count: Runs to draw from.
        recipe: How they are trained.
        snapshots: What is kept of them.
        first: The earliest epoch that is drawn; past the end it is the last snapshot.
        last: The latest epoch that is drawn; None for the end.
        later: Read a later snapshot in place of k, up to this many epochs after it, and at least the next one if there is one; 0 reads k.
        interpolate: Whether l is drawn; otherwise it is 0.

    Reference:
        Snapshots take the place of the queue of IDM, arXiv:2307.09742; interpolation is that of DANCE, arXiv:2406.01063; a later snapshot
        that of TGDD, arXiv:2512.02469.
    """

    called = "trajectory"
    trains = True
    apart = True

    count: int = 3
    recipe: TrainingRecipe = field(default_factory=lambda: RECIPES["trajectory"])
    snapshots: Snapshots = field(default_factory=Snapshots)
    first: float = 0.0
    last: float | None = None
    later: float = 0.0
    interpolate: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 1:
            raise UserError(f"a trajectory needs a count of at least one run, got {self.count}")
        latest = math.inf if self.last is None else self.last
        if not 0 <= self.first <= latest or math.inf in (self.first, self.last) or not 0 <= self.later < math.inf:
            raise UserError(
                f"a trajectory needs 0 <= first <= last and later of at least 0, in epochs, got first {self.first:g}, last {self.last} and "
                f"later {self.later:g}"
            )

    @property
    def fixed(self) -> int:
        """The snapshots that it draws from; 0 if it interpolates (see `Encoder.fixed`)."""
        return 0 if self.interpolate else self.count * len(self.snapshots.moments(self.recipe.epochs, 1))

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Train what is missing and load the snapshots (see `Encoder.open`)."""
        runs = trajectories(data, self.network, self.count, self.recipe, self.snapshots, engine)
        reached = ", ".join(f"{100 * run.accuracies[-1]:.1f}%" for run in runs)
        log.info("encoder: %d runs of %s with %d snapshots each, %s", len(runs), self.network, len(runs[0].epochs), reached)
        weights, accuracies = [run.snapshots for run in runs], [run.accuracies for run in runs]
        return TrajectorySession(self, data, engine, fields, seed, runs[0].epochs, weights, accuracies)

    def training_seconds(self, data: DataSet) -> Mapping[Hashable, float]:
        """The runs that are in the cache (see `Encoder.training_seconds`)."""
        folder, runs = pool_folder(data, self.network, self.recipe), kept(data, self.network, self.count, self.recipe, self.snapshots)
        return {(folder, self.snapshots, number): run.seconds for number, run in enumerate(runs)}

    def memory(self, data: DataSet) -> int:
        """The snapshots (see `Encoder.memory`)."""
        return self.count * bytes_of_run(data, self.network, self.recipe, self.snapshots)

    def missing(self, data: DataSet) -> tuple[Untrained, ...]:
        """Runs that are not in the cache (see `Encoder.missing`)."""
        check_size(data, self.network, self.count, self.recipe, self.snapshots)
        count = self.count - len(kept(data, self.network, self.count, self.recipe, self.snapshots))
        size = bytes_of_run(data, self.network, self.recipe, self.snapshots)
        folder = pool_folder(data, self.network, self.recipe)
        return (Untrained(self.network, count, self.recipe, folder, size),) if count else ()

    def untrained(self) -> Encoder:
        """Runs of networks as they are before their training; they keep no targets (see `Encoder.untrained`)."""
        fields = {name: getattr(self, name) for name in ENCODER_FIELDS}
        return UntrainedTrajectory(**fields)


ENCODER_FIELDS = (
    "network", "count", "recipe", "snapshots", "first", "last", "later", "interpolate", "every", "most", "target_images",
)  # fmt: skip
"""What an encoder without training has in common with one that is trained: all but the kept targets."""


@dataclass(frozen=True)
class UntrainedTrajectory(TrajectoryNetwork):
    """Runs without training, which take as long to read as trained ones."""

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Draw the weights (see `Encoder.open`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        network.reset(random.generator(0, "pretraining", "weights"))
        weights = {name: value.clone() for name, value in network.weights().items()}
        moments = moments_of(data, self.recipe, self.snapshots)
        epochs = tuple(self.recipe.epochs * step / moments[-1] for step in moments)
        return TrajectorySession(
            self, data, engine, fields, seed, epochs, [(weights,) * len(epochs)] * self.count, [(0.0,) * len(epochs)] * self.count
        )


class TrajectorySession(Session):
    """A `TrajectoryNetwork` during a run."""

    def __init__(
        self,
        trajectory: TrajectoryNetwork,
        data: DataSet,
        engine: Engine,
        fields: Sequence[str],
        seed: int,
        epochs: Sequence[float],
        weights: Sequence[Sequence[Mapping[str, Tensor]]],
        accuracies: Sequence[Sequence[float]],
    ) -> None:
        super().__init__(trajectory.network, data, engine, fields)
        self.network.eval()
        self.trajectory, self.seed, self.epochs, self.weights, self.accuracies = trajectory, seed, epochs, weights, accuracies
        end = epochs[-1] if trajectory.last is None else trajectory.last
        between = [place for place, epoch in enumerate(epochs) if trajectory.first <= epoch <= end]
        self.places = between or [_nearest(epochs, min(trajectory.first, epochs[-1]))]

    def checksums(self) -> dict[str, str]:
        """Checksums of the runs (see `Session.checksums`)."""
        named = ({f"{place}/{name}": value for place, each in enumerate(run) for name, value in each.items()} for run in self.weights)
        return {str(number): checksum(run) for number, run in enumerate(named)}

    def begin(self, iteration: int) -> None:
        """Put the snapshot drawn for an iteration in place, or what is between it and the first weights."""
        run, place = self.drawn(iteration)
        member = run * len(self.epochs) + place
        if self.trajectory.interpolate:
            share = float(torch.rand((), generator=random.generator(self.seed, iteration, "trajectory interpolation")))
            first, snapshot = self.weights[run][0], self.weights[run][place]
            self.network.take({name: torch.lerp(value.float(), first[name].float(), share) for name, value in snapshot.items()})
            self.accuracy = 0.0  # not known between two snapshots
        elif member != self.member:
            self.network.take(self.weights[run][place])
            self.accuracy, self.member = self.accuracies[run][place], member

    def drawn(self, iteration: int) -> tuple[int, int]:
        """The run of an iteration, and the place of its snapshot."""
        run = int(torch.randint(len(self.weights), (), generator=random.generator(self.seed, iteration, "trajectory")))
        at = int(torch.randint(len(self.places), (), generator=random.generator(self.seed, iteration, "snapshot")))
        place = self.places[at]
        if not self.trajectory.later:
            return run, place
        reach = self.epochs[place] + self.trajectory.later
        after = sum(self.epochs[place] < epoch <= reach for epoch in self.epochs) or int(place + 1 < len(self.epochs))
        generator = random.generator(self.seed, iteration, "later snapshot")
        return run, place + (1 + int(torch.randint(after, (), generator=generator)) if after else 0)


def _nearest(epochs: Sequence[float], wanted: float) -> int:
    return min(range(len(epochs)), key=lambda place: abs(epochs[place] - wanted))
