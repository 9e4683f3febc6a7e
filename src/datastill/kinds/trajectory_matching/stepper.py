"""A `TrajectoryComposition` during a run: follow an expert, see how far off it ends, and go back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from datastill import random
from datastill.augment import matching, training
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.engine.curvature import Weights
from datastill.engine.unrolled import Step, Unrolled
from datastill.errors import UserError
from datastill.files import check_tensors, checksum
from datastill.kinds.canvas import LEARNING_RATE, Canvas, PixelSGD, initial_images
from datastill.kinds.constraints import STATE, Constraints
from datastill.kinds.method import Stepper
from datastill.kinds.real_batches import RealBatches
from datastill.kinds.trajectory_matching.composition import TrajectoryComposition
from datastill.kinds.watch import Watch
from datastill.networks import build

MOST_CHANGE = 2.0
"""The factor by which a step may change the learned rate: elsewhere than on the published data its slope may be a thousand times larger."""

Expert = Sequence[Weights]
"""The weights of a training run on real images after each of its epochs, from 0."""


class TrajectoryStepper(Stepper):
    """A `TrajectoryComposition` during a run.

    Args:
        method: What to do.
        data: The real images.
        engine: Where to run.
        ipc: Images of a class.
        seed: Of the run.
        experts: One or more, on the CPU.
    """

    def __init__(
        self, method: TrajectoryComposition, data: DataSet, engine: Engine, ipc: int, seed: int, experts: Sequence[Expert]
    ) -> None:
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
        self.watch = Watch(steady=False)

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
        self._move_rate(iteration, slope)
        self.watch.pixels(iteration, self.pixels)
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

    def _move_rate(self, iteration: int, slope: Tensor) -> None:
        if self.method.rate_rate:
            self.velocity.mul_(self.method.momentum).add_(slope)
            least, most = self.rate / MOST_CHANGE, self.rate * MOST_CHANGE
            wanted = self.rate - self.method.rate_rate * self.velocity
            self.rate.copy_(wanted.clamp(least, most))
            self.watch.rate(iteration, float(wanted), float(self.rate), "`rate_rate`")
