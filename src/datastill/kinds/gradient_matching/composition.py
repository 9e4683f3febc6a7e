"""What a method that matches gradients is made of, and the checks that its parts fit together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from datastill.augment import check_augmentation
from datastill.configuration import added_later
from datastill.data import DataSet
from datastill.encoders.encoder import check_sgd
from datastill.engine.cost import forward_cost
from datastill.errors import UserError, unknown
from datastill.kinds.canvas import INITIALISATIONS, check_start
from datastill.kinds.constrained import Constrained
from datastill.kinds.method import check_enough_classes, check_every_class
from datastill.networks import build

SECOND_ORDER = 10
"""Forward passes that a second-order step on an image takes at most: the gradient (3), and the way back through all of it."""
SEEN = 8
"""Times that an image is in memory, at least, while it is matched."""


@dataclass(frozen=True)
class GradientComposition(Constrained):
    """Match the gradients that real and synthetic images give a network, class after class, and train the network between matches.

    ``L = sum_l sum_i (1 - cos(row i of grad_l on real images, row i of grad_l on synthetic images))``, summed over classes, grad_l the
    gradient of the mean cross-entropy with respect to the weights of layer l.

    An iteration is one match, and so one step on the pixels. A network stays for `matches` of them. After each but the last it is trained
    on the synthetic images; then another random one takes its place. Published iterations count networks.

    Constraints that read the encoder "matching" get the features of that same network: those of real images from the pass that gives
    their gradient, and those of synthetic images, far fewer, from a pass of their own.

    Attributes:
        network: A name of `datastill.networks.NETWORKS`. One with batch norm takes its statistics from 16 real images of every class before
            each match and keeps them during it, as published.
        matches: Matches in one network, the outer loop.
        epochs: Passes over the synthetic images that the network is trained for between matches, the inner loop.
        learning_rate: Of SGD on the pixels.
        momentum: Of SGD on the pixels.
        network_rate: Of plain SGD on the network.
        batch: Synthetic images in a step of the network.
        real_batch: Real images per class and match.
        initialisation: "real", "noise" or "augmented", as in `DistributionMatching`.
        augment: Whether images are augmented: one draw per class for real and synthetic images, and parameters for every image where the
            network is trained.
        augmentation: How, a name that `datastill.augment.matching` and `training` take: "dsa" for one family of DSA, "idc" for several
            together.
        epsilon: As in `datastill.functional.gradient_distance`, above 0.
        summed_from: The network, counted from 0, from which on gradients are summed over classes before they are matched, once; None to
            match every class apart, always.
        summed_after: The match in every earlier network, counted from 0, from which on gradients are summed too, unless `summed_from` is
            None.
        averaging: Decay in [0, 1) of a moving average of the pixels over iterations, which is what the method gives; 0 gives the last
            pixels, as the papers do.

    `terms`, `encoders` and `balance` are those of `Constrained`.
    """

    kind: ClassVar[str] = "gradient matching"
    lends_real: ClassVar[bool] = True

    network: str = "convnet"
    matches: int = 1
    epochs: int = 1
    learning_rate: float = 0.1
    momentum: float = 0.5
    network_rate: float = 0.01
    batch: int = 256
    real_batch: int = 256
    initialisation: str = "real"
    augment: bool = True
    epsilon: float = 1e-6
    summed_from: int | None = None
    summed_after: int = 10
    averaging: float = 0.0
    augmentation: str = added_later("dsa")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.initialisation not in INITIALISATIONS:
            raise unknown("initialisation", self.initialisation, INITIALISATIONS)
        if min(self.matches, self.batch, self.real_batch) < 1 or self.epochs < 0:
            raise UserError(
                f"{self.name} needs matches, batch and real_batch of at least 1 and epochs of at least 0, "
                f"got {self.matches}, {self.batch}, {self.real_batch} and {self.epochs}"
            )
        check_augmentation(self.augmentation, idle="" if self.augment else self.name)
        check_sgd(f"the pixels of {self.name}", self.learning_rate, self.momentum, 0.0)
        check_sgd(f"the network of {self.name}", self.network_rate, 0.0, 0.0)
        if not 0 < self.epsilon < math.inf or not 0 <= self.averaging < 1:
            raise UserError(
                f"{self.name} needs an epsilon above 0 and an averaging in [0, 1), where 0 is none, got {self.epsilon} and {self.averaging}"
            )
        if (self.summed_from or 0) < 0 or self.summed_after < 0:
            raise UserError(
                f"{self.name} sums gradients over classes from a network and a match on that are counted from 0, "
                f"got {self.summed_from} and {self.summed_after}"
            )

    def summed(self, iteration: int) -> bool:
        """Whether gradients are summed over classes before they are matched at an iteration."""
        number, match = divmod(iteration, self.matches)
        return self.summed_from is not None and (number >= self.summed_from or match >= self.summed_after)

    def never(self, iterations: int) -> str:
        """Whether gradients are summed at all (see `Method.never`)."""
        if self.summed_from is None or self.summed(iterations - 1) or (self.summed_after < self.matches and iterations > self.summed_after):
            return ""
        return (
            f"{self.name} matches summed gradients from iteration {self.summed_from * self.matches + 1:,} on, which {iterations:,} never "
            f"reach: lower `summed_from`, such as to a quarter of the run, {(iterations - 1) // self.matches // 4}"
        )

    def check(self, data: DataSet, ipc: int) -> None:
        """Check the network, and the classes against the initialisation (see `Method.check`)."""
        build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        check_every_class(data, self.name)
        check_start(self.initialisation, data, ipc)
        super().check(data, ipc)

    def check_shared(self, data: DataSet, processes: int) -> None:
        """Every class is matched apart, or gradients are summed over classes (see `Method.check_shared`)."""
        check_enough_classes(data, processes)

    def cost(self, data: DataSet, ipc: int) -> float:
        """A gradient on real images, a second-order step on synthetic ones, and the training between matches (see `Method.cost`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        real, synthetic = data.classes * min(self.real_batch, max(data.train.counts)), data.classes * ipc
        training = self.epochs * (self.matches - 1) / self.matches
        own = forward_cost(network) * (3 * real + (SECOND_ORDER + 3 * training) * synthetic)
        return own + self.constraint_cost(data, ipc)

    def memory(self, data: DataSet, ipc: int) -> int:
        """The pixels, and the images of a class that are matched at a time (see `Method.memory`)."""
        own = 4 * (3 * data.classes + SEEN) * ipc * data.channels * data.size[0] * data.size[1]
        return own + self.constraint_memory(data)
