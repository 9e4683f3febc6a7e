"""The kind of method that has the training on its images follow recorded training on real images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from datastill import random
from datastill.augment import check_augmentation, matching, training
from datastill.configuration import added_later
from datastill.data import DataSet
from datastill.encoders.encoder import check_sgd
from datastill.engine import Engine
from datastill.engine.cost import forward_cost
from datastill.engine.curvature import Weights
from datastill.engine.unrolled import Step, Unrolled
from datastill.errors import UserError, unknown
from datastill.files import check_tensors, checksum
from datastill.kinds.canvas import INITIALISATIONS, LEARNING_RATE, Canvas, PixelSGD, check_start, initial_images
from datastill.kinds.constrained import Constrained
from datastill.kinds.constraints import STATE, Constraints
from datastill.kinds.method import Measured, Stepper, check_every_class
from datastill.kinds.real_batches import RealBatches
from datastill.kinds.watch import farthest_image
from datastill.logs import logger
from datastill.networks import build, network_type
from datastill.teachers.missing import Untrained
from datastill.teachers.pool import pool_folder
from datastill.teachers.recipe import TrainingRecipe
from datastill.teachers.snapshots import Snapshots
from datastill.teachers.trajectories import bytes_of_run, check_size, kept, trajectories

log = logger(__name__)

EXPERT = TrainingRecipe(schedule="constant", epochs=1, learning_rate=0.01, batch=256, momentum=0.0, weight_decay=0.0, half_size=0.0)
"""How experts are trained: plain SGD at a constant rate, images mirrored and shifted. The epochs are those that are read."""
SNAPSHOTS = Snapshots(every=1, early=0, parts=1, type="float32")
"""What is kept of them: the weights after every epoch, exactly, as what is matched are small differences between them."""
SECOND_ORDER = 13
"""Forward passes that a step on an image takes: the step (3), and the way back through it, at most 10."""
FIRST_ORDER = 8
"""The same where later steps are taken not to depend on earlier ones."""
MOST_CHANGE = 2.0
"""The factor by which a step may change the learned rate: elsewhere than on the published data its slope may be a thousand times larger."""

Expert = Sequence[Weights]
"""The weights of a training run on real images after each of its epochs, from 0."""


@dataclass(frozen=True)
class TrajectoryMatching(Constrained):
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
        check_size(data, self.network, self.experts, self.trained, SNAPSHOTS)
        check_start(self.initialisation, data, ipc)
        super().check(data, ipc)

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Train experts that are missing and draw the first images (see `Method.open`)."""
        runs = trajectories(data, self.network, self.experts, self.trained, SNAPSHOTS, engine)
        reached = ", ".join(f"{100 * run.accuracies[-1]:.1f}%" for run in runs)
        log.info("experts: %d runs of %s over %d epochs, %s", len(runs), self.network, self.trained.epochs, reached)
        experts = [[tuple(snapshot.values()) for snapshot in run.snapshots] for run in runs]
        return TrajectoryStepper(self, data, engine, ipc, seed, experts)

    def measure(self, data: DataSet, engine: Engine, ipc: int, seed: int, iterations: int) -> Measured:
        """Take a few steps from untrained experts (see `Method.measure`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        experts: list[list[Weights]] = [[]]
        for epoch in range(self.trained.epochs + 1):
            network.reset(random.generator(0, epoch, "untrained expert"))
            experts[0].append(tuple(value.clone() for value in network.weights().values()))
        stepper = TrajectoryStepper(self.untrained(data), data, engine, ipc, seed, experts)
        return Measured.of(stepper, iterations, math.lcm(*(encoder.every for encoder in self.used().values())))

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
        """The experts, the weights before every step and the pixels (see `Method.memory`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        weights = sum(value.nbytes for value in network.weights().values())
        experts = self.experts * bytes_of_run(data, self.network, self.trained, SNAPSHOTS)
        pixels = 12 * data.classes * ipc * data.channels * data.size[0] * data.size[1]
        return experts + (self.inner + 1) * weights + pixels + self.constraint_memory(data)


class TrajectoryStepper(Stepper):
    """A `TrajectoryMatching` during a run.

    Args:
        method: What to do.
        data: The real images.
        engine: Where to run.
        ipc: Images of a class.
        seed: Of the run.
        experts: One or more, on the CPU.
    """

    def __init__(self, method: TrajectoryMatching, data: DataSet, engine: Engine, ipc: int, seed: int, experts: Sequence[Expert]) -> None:
        self.method, self.seed, self.experts, self.device = method, seed, experts, engine.device
        network = engine.place(build(method.network, channels=data.channels, classes=data.classes, size=data.size))
        self.unrolled = Unrolled(network, engine)
        self.of_training = training(method.augmentation, flip=data.flip, augment=method.augment)
        of_matching = matching(method.augmentation, flip=data.flip, augment=method.augment)
        self.batch, self.labels = method.batch_size(data, ipc), torch.arange(data.classes, device=self.device).repeat_interleave(ipc)
        self.pixels = initial_images(method.initialisation, data, ipc, seed, 1).to(self.device).requires_grad_()
        self.optimizer = PixelSGD(self.pixels, learning_rate=method.learning_rate, momentum=method.momentum, averaging=method.averaging)
        batches = RealBatches(data, min(method.real_batch, max(data.train.counts)), seed, engine.device)
        self.constraints = Constraints(method, data, engine, seed, network, batches, of_matching)
        self.rate = torch.tensor(method.start_rate, device=self.device)
        self.velocity = torch.zeros_like(self.rate)

    def step(self, iteration: int) -> dict[str, float]:
        """Follow an expert, see how far off it ends, and go back (see `Stepper.step`)."""
        start, target = self._drawn(iteration)
        rows = self._rows(iteration)
        with torch.no_grad():
            steps = [Step(self._seen(iteration, number, each), self.labels[each], self.rate) for number, each in enumerate(rows)]
        trajectory = self.unrolled.forward(start, steps)
        off = [after - to for after, to in zip(trajectory[-1], target, strict=True)]
        way = torch.stack([(before - to).square().sum() for before, to in zip(start, target, strict=True)]).sum()
        loss = float(torch.stack([each.square().sum() for each in off]).sum() / way)
        if not math.isfinite(loss):
            raise UserError(f"the loss is not finite at iteration {iteration + 1}: lower `learning_rate`, `start_rate` or `rate_rate`")
        self.constraints.begin(iteration)
        self.optimizer.before(iteration)
        found = self.unrolled.backward(trajectory, steps, tuple(2 * each / way for each in off), through=self.method.through)
        slope = torch.zeros_like(self.rate)
        for number, (each, (of_images, of_rate)) in enumerate(zip(rows, found, strict=True)):
            torch.autograd.backward(self._seen(iteration, number, each), of_images)
            slope += of_rate
        figures = self._constrained(iteration, start, loss)
        self.optimizer.step(iteration)
        self._move_rate(slope)
        farthest_image(iteration, self.pixels, "`learning_rate`")
        self.constraints.advance(iteration, self.pixels.detach)
        return {**figures, "rate": float(self.rate)}

    def images(self) -> Tensor:
        """The pixels, or their average over iterations (see `Stepper.images`)."""
        return self.optimizer.images()

    def canvas(self) -> Canvas:
        """The images and the learned learning rate (see `Stepper.canvas`)."""
        return replace(Canvas.stacked(self.images()), numbers={LEARNING_RATE: float(self.rate)})

    def state(self) -> dict[str, Tensor]:
        """Pixels, their momentum and average, the learned rate and its momentum (see `Stepper.state`)."""
        return {**self.optimizer.state(), "rate": self.rate, "rate.momentum": self.velocity, **self.constraints.state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a `state` (see `Stepper.restore`)."""
        own = {name: value for name, value in state.items() if name.startswith("rate")}
        check_tensors(own, {"rate": self.rate, "rate.momentum": self.velocity}, "the state of the learned rate")
        self.optimizer.restore({name: value for name, value in state.items() if name not in own and not name.startswith(STATE)})
        self.rate.copy_(own["rate"])
        self.velocity.copy_(own["rate.momentum"])
        self.constraints.restore(state)

    def encoders_used(self) -> dict[str, str]:
        """Checksums of the experts and of other networks (see `Stepper.encoders_used`)."""
        named = ({f"{epoch}.{place}": value for epoch, each in enumerate(run) for place, value in enumerate(each)} for run in self.experts)
        return {**{f"expert {number}": checksum(run) for number, run in enumerate(named)}, **self.constraints.checksums()}

    def _drawn(self, iteration: int) -> tuple[Weights, Weights]:
        """The weights that an iteration starts from, and those that it should come to."""
        generator = random.generator(self.seed, iteration, "expert")
        run = self.experts[int(torch.randint(len(self.experts), (), generator=generator))]
        start = int(torch.randint(self.method.latest_start, (), generator=generator))
        first, last = (tuple(value.to(self.device) for value in run[epoch]) for epoch in (start, start + self.method.expert_epochs))
        return first, last

    def _rows(self, iteration: int) -> list[Tensor]:
        """The images of every step: all of them in turn, in an order that is drawn again when they are through."""
        found: list[Tensor] = []
        while len(found) < self.method.inner:
            order = torch.randperm(len(self.labels), generator=random.generator(self.seed, iteration, len(found), "order"))
            found += torch.split(order.to(self.device), self.batch)
        return found[: self.method.inner]

    def _seen(self, iteration: int, number: int, rows: Tensor) -> Tensor:
        """The images of a step, augmented."""
        return self.of_training.batch(self.pixels.flatten(0, 1)[rows], random.generator(self.seed, iteration, number, "augmentation"))

    def _constrained(self, iteration: int, start: Weights, loss: float) -> dict[str, float]:
        """Add to the pixels' gradient that of the constraints; the loss with them."""
        if self.constraints.terms:
            self.unrolled.network.take(dict(zip(self.unrolled.names, start, strict=True)))
            self.constraints.add(iteration, self.pixels)
        return self.constraints.figures(iteration, loss, self.constraints.sums, self.pixels.shape[1])

    def _move_rate(self, slope: Tensor) -> None:
        if self.method.rate_rate:
            self.velocity.mul_(self.method.momentum).add_(slope)
            least, most = self.rate / MOST_CHANGE, self.rate * MOST_CHANGE
            self.rate.sub_(self.method.rate_rate * self.velocity).clamp_(least, most)
