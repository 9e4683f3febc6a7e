"""The kind of method that learns images by going back through the training on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.engine.cost import forward_cost
from datastill.engine.curvature import Weights
from datastill.engine.unrolled import Step, Unrolled
from datastill.errors import UserError, unknown
from datastill.files import check_tensors
from datastill.kinds.adam import Adam
from datastill.kinds.canvas import INITIALISATIONS, LEARNING_RATE, Canvas, check_start, initial_images, step_size
from datastill.kinds.method import Method, Stepper, check_every_class
from datastill.kinds.real_batches import RealBatches
from datastill.kinds.watch import Watch
from datastill.networks import build, network_type

CHUNK_BYTES = 2**26
"""Bytes of real images, as floats, that are in memory at a time."""
SECOND_ORDER = 13
"""Forward passes that a step on an image takes: the step (3), and the way back through it, at most 10."""


@dataclass(frozen=True)
class UnrolledTraining(Method):
    """Learn images and step sizes so that a random network, after a few steps on them, classifies real images.

    ``L = mean cross-entropy(w_K; real)``, ``w_{k+1} = w_k - r_k grad mean cross-entropy(w_k; s_k)``, w_0 random. Step k reads one image of
    every class, the next ones in the next step, and begins again after IPC steps, `epochs` times in all. Everything is computed in 32 bits.

    Attributes:
        network: A name of `datastill.networks.NETWORKS`, without batch norm.
        epochs: Times that the network is trained on every image.
        learning_rate: Of Adam, on the images and on what the step sizes are the softplus of.
        halve_every: Iterations after which the learning rate is halved, each time; 0 for never.
        start_rate: What all step sizes start from.
        target_batch: Real images of an iteration, of all classes together and as many of each.
        initialisation: What the images start from, a name of `datastill.kinds.canvas.INITIALISATIONS`.
    """

    kind: ClassVar[str] = "unrolled training"
    own_steps: ClassVar[bool] = True

    network: str = "convnet"
    epochs: int = 3
    learning_rate: float = 0.01
    halve_every: int = 0
    start_rate: float = 0.02
    target_batch: int = 1024
    initialisation: str = "noise"

    def __post_init__(self) -> None:
        if self.initialisation not in INITIALISATIONS:
            raise unknown("initialisation", self.initialisation, INITIALISATIONS)
        if not (0 < self.learning_rate < math.inf and 0 < self.start_rate < math.inf):
            raise UserError(f"{self.name} needs a learning_rate and a start_rate above 0, got {self.learning_rate} and {self.start_rate}")
        if min(self.epochs, self.target_batch) < 1 or self.halve_every < 0:
            raise UserError(
                f"{self.name} needs epochs and a target_batch of at least 1 and halve_every of at least 0, "
                f"got {self.epochs}, {self.target_batch} and {self.halve_every}"
            )

    def check(self, data: DataSet, ipc: int) -> None:
        """Check the network, and the classes against the initialisation (see `Method.check`)."""
        build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        if network_type(self.network).batchwise:
            raise UserError(f"{self.name} cannot go back through batch norm: use another network, such as `network=convnet`")
        check_every_class(data, self.name)
        check_start(self.initialisation, data, ipc)

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Draw the first images (see `Method.open`)."""
        return UnrolledStepper(self, data, engine, ipc, seed)

    def batch_of_class(self, data: DataSet) -> int:
        """Real images of a class in an iteration."""
        return min(-(-self.target_batch // data.classes), max(data.train.counts))

    def cost(self, data: DataSet, ipc: int) -> float:
        """The steps and the way back through them, and the gradient on real images (see `Method.cost`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        return forward_cost(network) * data.classes * (SECOND_ORDER * ipc * self.epochs + 3 * self.batch_of_class(data))

    def memory(self, data: DataSet, ipc: int) -> int:
        """The images with what Adam keeps, and the weights before every step (see `Method.memory`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        weights = sum(value.nbytes for value in network.weights().values())
        return 16 * data.classes * ipc * data.channels * data.size[0] * data.size[1] + (ipc * self.epochs + 1) * weights


class UnrolledStepper(Stepper):
    """An `UnrolledTraining` during a run."""

    def __init__(self, method: UnrolledTraining, data: DataSet, engine: Engine, ipc: int, seed: int) -> None:
        self.method, self.data, self.engine, self.ipc, self.seed = method, data, engine, ipc, seed
        self.network = engine.place(build(method.network, channels=data.channels, classes=data.classes, size=data.size))
        self.unrolled = Unrolled(self.network, engine)
        self.pixels = initial_images(method.initialisation, data, ipc, seed, 1).to(engine.device).requires_grad_()
        start = method.start_rate + math.log(-math.expm1(-method.start_rate))  # whose softplus it is
        self.sizes = torch.full((method.epochs, ipc), start, device=engine.device).requires_grad_()
        self.optimizer = Adam({"pixels": self.pixels, "sizes": self.sizes}, method.learning_rate)
        self.watch = Watch(steady=False)
        limit = max(1, CHUNK_BYTES // (4 * data.channels * data.size[0] * data.size[1]))
        self.batches = RealBatches(data, method.batch_of_class(data), seed, engine.device, limit=limit)

    def step(self, iteration: int) -> dict[str, float]:
        """Train a random network, test it on real images, go back (see `Stepper.step`)."""
        method, classes = self.method, self.data.classes
        self.network.reset(random.generator(self.seed, iteration, "network"))
        labels = torch.arange(classes, device=self.engine.device)
        rates = F.softplus(self.sizes)
        places = [(epoch, image) for epoch in range(method.epochs) for image in range(self.ipc)]
        steps = [Step(self.pixels[:, image], labels, rates[epoch, image]) for epoch, image in places]
        trajectory = self.unrolled.forward(tuple(self.network.parameters()), steps)
        loss, correct, gradient = self._outcome(iteration, trajectory[-1])
        if not math.isfinite(loss):
            raise UserError(f"the loss is not finite at iteration {iteration + 1}: lower `learning_rate` or `start_rate`")
        of_pixels, of_rates = torch.zeros_like(self.pixels), torch.zeros_like(rates)
        for (epoch, image), (of_images, of_rate) in zip(places, self.unrolled.backward(trajectory, steps, gradient), strict=True):
            of_pixels[:, image] += of_images
            of_rates[epoch, image] = of_rate
        self.pixels.grad = of_pixels
        torch.autograd.backward(rates, of_rates)
        halvings = iteration // method.halve_every if method.halve_every else 0
        self.optimizer.set_learning_rate(method.learning_rate * 0.5**halvings)
        self.optimizer.step()
        self.watch.pixels(iteration, self.pixels, "`learning_rate` or `start_rate`")
        return {"loss": loss, "target_accuracy": correct, "rate": float(rates.detach().mean())}

    def images(self) -> Tensor:
        """The images (see `Stepper.images`)."""
        return self.pixels.detach().cpu().clone()

    def canvas(self) -> Canvas:
        """The images, the size of every step as ``rate.EPOCH.IMAGE``, and their mean as the learning rate (see `Stepper.canvas`)."""
        rates = F.softplus(self.sizes.detach()).cpu()
        each = {step_size(epoch, image): float(rates[epoch, image]) for epoch in range(len(rates)) for image in range(self.ipc)}
        stacked = Canvas.stacked(self.images())
        return Canvas(stacked.images, stacked.labels, numbers={LEARNING_RATE: float(rates.mean()), **each})

    def state(self) -> dict[str, Tensor]:
        """Images and step sizes, and what Adam keeps of them (see `Stepper.state`)."""
        return {"pixels": self.pixels.detach(), "sizes": self.sizes.detach(), **self.optimizer.state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a `state` (see `Stepper.restore`)."""
        check_tensors(state, self.state(), "the state of the images")
        self.optimizer.restore(state)
        with torch.no_grad():
            self.pixels.copy_(state["pixels"])
            self.sizes.copy_(state["sizes"])

    def _outcome(self, iteration: int, weights: Weights) -> tuple[float, float, Weights]:
        """The mean loss on real images, the share of them classified right in percent, and the gradient of the loss at the weights."""
        count = self.batches.size * self.data.classes
        loss, correct, total = 0.0, 0, tuple(torch.zeros_like(weight) for weight in weights)
        for images in self.batches.draw(iteration, range(self.data.classes)):
            labels = torch.arange(self.data.classes, device=images.device).repeat_interleave(images.shape[1])
            summed, hits, gradient = self.unrolled.outcome(weights, images.flatten(0, 1), labels)
            loss, correct = loss + float(summed) / count, correct + hits
            total = tuple(one + other / count for one, other in zip(total, gradient, strict=True))
        return loss, 100 * correct / count, total
