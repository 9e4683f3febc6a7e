"""The kind of method that has the training on its images follow recorded training on real images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

from datastill.augment import check_augmentation
from datastill.configuration import added_later
from datastill.data import DataSet
from datastill.encoders.encoder import check_sgd
from datastill.engine.cost import forward_cost
from datastill.errors import UserError, unknown
from datastill.kinds.canvas import INITIALISATIONS, check_start
from datastill.kinds.constrained import Constrained
from datastill.kinds.method import check_every_class
from datastill.networks import build, network_type
from datastill.teachers.missing import Untrained
from datastill.teachers.pool import bytes_of_run, pool_folder
from datastill.teachers.recipe import TrainingRecipe
from datastill.teachers.snapshots import Snapshots
from datastill.teachers.trajectories import MOST_BYTES_OF_EXPERTS, check_size, kept

EXPERT = TrainingRecipe(schedule="constant", epochs=1, learning_rate=0.01, batch=256, momentum=0.0, weight_decay=0.0, half_size=0.0)
"""How experts are trained: plain SGD at a constant rate, images mirrored and shifted. The epochs are those that are read."""
SNAPSHOTS = Snapshots(every=1, early=0, parts=1, type="float32")
"""What is kept of them: the weights after every epoch, exactly, as what is matched are small differences between them."""
SECOND_ORDER = 13
"""Forward passes that a step on an image takes: the step (3), and the way back through it, at most 10."""
FIRST_ORDER = 8
"""The same where later steps are taken not to depend on earlier ones."""


@dataclass(frozen=True)
class TrajectoryComposition(Constrained):
    """Learn images, and a learning rate, on which a network moves as far in some steps as one on real images in some epochs.

    ``L = |w_N - v_{t+M}|^2 / |v_t - v_{t+M}|^2``, ``w_0 = v_t``, ``w_{k+1} = w_k - r grad mean cross-entropy(w_k; A(b_k))``; v_t the
    weights of an expert, a network trained on the real images, after t epochs, b_k a batch of synthetic images, A an augmentation. The
    expert and t are drawn in every iteration. Steps are computed in 32 bits, and taken again on the way back from the weights before them.

    Experts are trained once for a data set and recipe, for the epochs that are read (see `trained`), and kept in the cache.

    Constraints are computed once an iteration, on the images of each class, its real ones under the same draw of augmentation. Those that
    read the encoder "matching" get features in the network with the weights v_t. `balance` compares gradients at the pixels themselves.

    Attributes:
        network: A name of `datastill.networks.NETWORKS`, without batch norm.
        experts: How many training runs on the real images there are to draw from.
        recipe: How they are trained; its number of epochs is not read.
        latest_start: t is drawn from 0 to one less than this.
        expert_epochs: M, epochs of the expert that are to be followed.
        inner: N, steps on synthetic images.
        batch: Synthetic images in a step, of all classes together; 0 for all there are.
        learning_rate: Of SGD on the pixels.
        momentum: Of SGD on the pixels and on the learned rate.
        start_rate: What the learned rate r starts from.
        rate_rate: Of SGD on r, which an iteration at most halves or doubles; 0 leaves it as it is.
        through: Whether the gradient takes in how later steps depend on earlier ones through the weights. Without it steps are cheaper, as
            in TESLA; for a single step it changes nothing.
        initialisation: What the images start from, a name of `datastill.kinds.canvas.INITIALISATIONS`.
        augment: Whether the synthetic images are augmented, parameters for every image.
        augmentation: How, a name that `datastill.augment.training` and, for constraints, `matching` take: "dsa", "idc".
        averaging: Decay in [0, 1) of a moving average of the pixels over iterations, which is what the method gives; 0 gives the last ones.

    `real_batch`, `terms`, `encoders` and `balance` are those of `Constrained`.
    """

    kind: ClassVar[str] = "trajectory matching"

    network: str = "convnet"
    experts: int = 10
    recipe: TrainingRecipe = field(default_factory=lambda: EXPERT)
    latest_start: int = 20
    expert_epochs: int = 2
    inner: int = 30
    batch: int = 0
    learning_rate: float = 100.0
    momentum: float = 0.5
    start_rate: float = 0.01
    rate_rate: float = 1e-5
    through: bool = True
    initialisation: str = "real"
    augment: bool = True
    averaging: float = 0.0
    augmentation: str = added_later("dsa")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.initialisation not in INITIALISATIONS:
            raise unknown("initialisation", self.initialisation, INITIALISATIONS)
        if min(self.experts, self.latest_start, self.expert_epochs, self.inner) < 1 or self.batch < 0:
            raise UserError(
                f"{self.name} needs experts, latest_start, expert_epochs and inner of at least 1 and a batch of at least 0, "
                f"got {self.experts}, {self.latest_start}, {self.expert_epochs}, {self.inner} and {self.batch}"
            )
        check_augmentation(self.augmentation, idle="" if self.augment else self.name)
        if self.recipe.epochs != EXPERT.epochs:
            raise UserError(f"{self.name} trains experts for `latest_start` - 1 + `expert_epochs` epochs: set these, not `recipe.epochs`")
        check_sgd(f"the pixels of {self.name}", self.learning_rate, self.momentum, 0.0)
        if not (0 < self.start_rate < math.inf and 0 <= self.rate_rate < math.inf and 0 <= self.averaging < 1):
            raise UserError(
                f"{self.name} needs a start_rate above 0, a rate_rate of at least 0 and an averaging in [0, 1), "
                f"got {self.start_rate}, {self.rate_rate} and {self.averaging}"
            )

    @property
    def trained(self) -> TrainingRecipe:
        """How experts are trained, for as many epochs as are read."""
        return replace(self.recipe, epochs=self.latest_start - 1 + self.expert_epochs)

    def check(self, data: DataSet, ipc: int) -> None:
        """Check the network, the size of the experts, and the classes against the initialisation (see `Method.check`)."""
        build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        if network_type(self.network).batchwise:
            raise UserError(f"{self.name} cannot go back through batch norm: use another network, such as `network=convnet`")
        check_every_class(data, self.name)
        check_size(
            data, self.network, self.experts, self.trained, SNAPSHOTS, MOST_BYTES_OF_EXPERTS, "fewer `experts` or a smaller `latest_start`"
        )
        check_start(self.initialisation, data, ipc)
        super().check(data, ipc)

    def pretraining_seconds(self, data: DataSet) -> float:
        """Seconds of the experts, and of other networks, that are in the cache (see `Method.pretraining_seconds`)."""
        experts = kept(data, self.network, self.experts, self.trained, SNAPSHOTS)
        return sum(run.seconds for run in experts) + super().pretraining_seconds(data)

    def missing(self, data: DataSet) -> tuple[Untrained, ...]:
        """Experts, and other networks, that are not in the cache (see `Method.missing`)."""
        size, folder = bytes_of_run(data, self.network, self.trained, SNAPSHOTS), pool_folder(data, self.network, self.trained)
        count = self.experts - len(kept(data, self.network, self.experts, self.trained, SNAPSHOTS))
        return (*([Untrained(self.network, count, self.trained, folder, size)] if count else []), *super().missing(data))

    def batch_size(self, data: DataSet, ipc: int) -> int:
        """Synthetic images in a step."""
        return min(self.batch or data.classes * ipc, data.classes * ipc)

    def cost(self, data: DataSet, ipc: int) -> float:
        """The steps and the way back through them (see `Method.cost`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        order = SECOND_ORDER if self.through else FIRST_ORDER
        return forward_cost(network) * self.batch_size(data, ipc) * self.inner * order + self.constraint_cost(data, ipc)

    def memory(self, data: DataSet, ipc: int) -> int:
        """The experts, the weights before every step, the pixels, and the images of every step (see `Method.memory`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        weights = sum(value.nbytes for value in network.weights().values())
        experts = self.experts * bytes_of_run(data, self.network, self.trained, SNAPSHOTS)
        pixels = (12 * data.classes * ipc + 8 * self.inner * self.batch_size(data, ipc)) * data.channels * data.size[0] * data.size[1]
        return experts + (self.inner + 1) * weights + pixels + self.constraint_memory(data)
