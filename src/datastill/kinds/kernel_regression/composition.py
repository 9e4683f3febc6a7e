"""What a method that learns by kernel regression is composed of, and the checks that its parts fit together."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError, unknown
from datastill.kinds.canvas import INITIALISATIONS, check_start
from datastill.kinds.kernel_regression.kernel import Kernel
from datastill.kinds.method import Method
from datastill.labels import HARD

FIXED = "fixed"
LABELS: dict[str, str] = {
    FIXED: "the classes, as centred one-hot vectors; the set has hard labels",
    "scores": "learned, from the centred one-hot vectors on; any numbers",
    "weights": "learned, from the same number for every class on, with sum one; clamped to [0, 1] after every step",
    "probabilities": "as weights, and divided by their sum after every step",
}
"""What labels can be."""
UNIT = ("weights", "probabilities")
"""Those that stay from 0 to 1."""
COPIES = 4
"""Copies of the pixels: with their gradient and Adam's two averages."""


@dataclass(frozen=True)
class KernelRegression(Method):
    """Learn images or labels so that kernel ridge regression on them predicts real images; a subclass says with which kernel.

    ``L = mean (K_ts (K_ss + r I)^-1 y_s - y_t)^2 / 2``, s the set, t a batch of real images.

    Attributes:
        learning_rate: Of Adam, on whatever is learned.
        target_batch: Real images of a step, of all classes together and as many of each.
        ridge: What is added to the diagonal of ``K_ss``.
        relative: Whether the ridge is in units of the mean of that diagonal.
        images: Whether images are learned; otherwise they stay what they start from.
        labels: A name of `LABELS`.
        inner_batch: Images of the set that a step reads, another draw every time; 0 for all.
        initialisation: What the images start from, a name of `datastill.kinds.canvas.INITIALISATIONS`.
        scored_every: Steps after which the regression is tested on the validation split; 0 for never.
    """

    kind: ClassVar[str] = "kernel regression"

    learning_rate: float = 0.04
    target_batch: int = 5000
    ridge: float = 1e-6
    relative: bool = True
    images: bool = True
    labels: str = FIXED
    inner_batch: int = 0
    initialisation: str = "real"
    scored_every: int = 20

    def __post_init__(self) -> None:
        if self.labels not in LABELS:
            raise unknown("kind of labels of kernel regression", self.labels, LABELS)
        if self.initialisation not in INITIALISATIONS:
            raise unknown("initialisation", self.initialisation, INITIALISATIONS)
        if not (0 < self.learning_rate < math.inf and 0 < self.ridge < math.inf):
            raise UserError(f"{self.name} needs a learning rate and a ridge above 0, got {self.learning_rate} and {self.ridge}")
        if self.target_batch < 1 or min(self.inner_batch, self.scored_every) < 0:
            raise UserError(
                f"{self.name} needs a target batch of at least 1 and an inner batch and scored_every of at least 0, "
                f"got {self.target_batch}, {self.inner_batch} and {self.scored_every}"
            )
        if not self.images and self.labels == FIXED:
            raise UserError(f"{self.name} would learn nothing: use `images=true`, or `labels=scores` or another kind of learned labels")

    @property
    def label_kind(self) -> str:
        """See `Method.label_kind`."""
        return HARD if self.labels == FIXED else self.labels

    @abstractmethod
    def kernel(self, data: DataSet, engine: Engine, seed: int) -> Kernel:
        """The kernel of a run."""

    def check(self, data: DataSet, ipc: int) -> None:
        """Check the classes against the initialisation and the target batch (see `Method.check`)."""
        if not min(data.train.counts):
            name = data.class_names[data.train.counts.index(0)]
            raise UserError(f"the class '{name}' has no training image, but {self.name} needs one of every class to predict")
        check_start(self.initialisation, data, ipc)

    def batch_of_class(self, data: DataSet) -> int:
        """Real images of a class in a step."""
        return min(-(-self.target_batch // data.classes), max(data.train.counts))

    def memory(self, data: DataSet, ipc: int) -> int:
        """The images with what Adam keeps, and the kernel between all of them (see `Method.memory`)."""
        images = data.classes * ipc
        return 4 * COPIES * images * data.channels * data.size[0] * data.size[1] + 8 * min(images, self.inner_batch or images) ** 2
