"""A method of kernel regression during a run: regress on the set, compare with real images, step."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.engine.inference import BLOCK
from datastill.errors import UserError
from datastill.files import check_tensors
from datastill.functional import ridge_weights
from datastill.kinds.adam import Adam
from datastill.kinds.canvas import Canvas, initial_images
from datastill.kinds.kernel_regression.composition import FIXED, UNIT, KernelRegression
from datastill.kinds.method import Stepper
from datastill.kinds.real_batches import RealBatches
from datastill.kinds.watch import Watch
from datastill.logs import logger

log = logger(__name__)

CHUNK_BYTES = 2**26
"""Bytes of one matrix between real images and the set that are in memory at a time; a step has about a dozen of them."""


class RegressionStepper(Stepper):
    """A `KernelRegression` during a run."""

    def __init__(self, method: KernelRegression, data: DataSet, engine: Engine, ipc: int, seed: int) -> None:
        self.method, self.data, self.engine, self.ipc, self.seed = method, data, engine, ipc, seed
        self.kernel = method.kernel(data, engine, seed)
        self.pixels = initial_images(method.initialisation, data, ipc, seed, 1).flatten(0, 1).to(engine.device)
        self.labels = self._first_labels().to(engine.device)
        learned = {"pixels": self.pixels} if method.images else {}
        learned |= {"labels": self.labels} if method.labels != FIXED else {}
        self.optimizer = Adam({name: tensor.requires_grad_() for name, tensor in learned.items()}, method.learning_rate)
        self.watch = Watch(steady=False)
        widest = 8 * max(len(self.pixels), self.kernel.values)
        self.batches = RealBatches(data, method.batch_of_class(data), seed, engine.device, limit=max(1, CHUNK_BYTES // widest))

    def step(self, iteration: int) -> dict[str, float]:
        """Regress on the set, add up the loss over chunks of real images, step (see `Stepper.step`)."""
        self.kernel.begin(iteration)
        support, weights = self._regression(self._rows(iteration))
        # Real images go through in chunks: the gradient stops at what all of them share, and goes on from there once.
        shared = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in (support, weights)]
        count = self.batches.size * self.data.classes
        loss, correct = 0.0, 0
        for images in self.batches.draw(iteration, range(self.data.classes)):
            classes = torch.arange(self.data.classes, device=images.device).repeat_interleave(images.shape[1])
            predicted = self._predicted(images.flatten(0, 1), *shared)
            part = (predicted - self._coded(classes)).square().sum() / (2 * count * self.data.classes)
            torch.autograd.backward(part)
            loss += float(part.detach())
            correct += int((predicted.argmax(1) == classes).sum())
        if not math.isfinite(loss):
            raise UserError(f"the loss is not finite at iteration {iteration + 1}: lower the `learning_rate`, or use a larger `ridge`")
        ends = [(tensor, cut.grad) for tensor, cut in zip((support, weights), shared, strict=True) if tensor.requires_grad]
        torch.autograd.backward([tensor for tensor, _ in ends], [gradient for _, gradient in ends])
        self.optimizer.step()
        self.watch.pixels(iteration, self.pixels[None])
        self._bound()
        figures = {"loss": loss, "target_accuracy": 100 * correct / count}
        if self.method.scored_every and (iteration + 1) % self.method.scored_every == 0 and len(self.data.validation):
            figures["regression_accuracy"] = self.accuracy()
            log.info("%s: %.1f%% by kernel regression after %d steps", self.method.name, figures["regression_accuracy"], iteration + 1)
        self.kernel.advance(iteration, self.pixels.detach(), self.labels.detach())
        return figures

    @torch.no_grad()
    def accuracy(self) -> float:
        """The share of the validation split, in percent, that the regression on the whole set predicts right."""
        split = self.data.validation
        support, weights = self._regression(torch.arange(len(self.pixels)))
        correct = 0
        for block in torch.split(torch.arange(len(split)), BLOCK):
            images = self.data.normalise(split.gather(block).to(self.engine.device))
            correct += int((self._predicted(images, support, weights).argmax(1).cpu() == split.labels[block]).sum())
        return 100 * correct / len(split)

    def images(self) -> Tensor:
        """The images (see `Stepper.images`)."""
        return torch.unflatten(self.pixels.detach().cpu().clone(), 0, (self.data.classes, self.ipc))

    def canvas(self) -> Canvas:
        """The images, and labels where they are learned (see `Stepper.canvas`)."""
        if self.method.labels == FIXED:
            return super().canvas()
        return Canvas(self.images().flatten(0, 1), self.labels.detach().cpu().clone(), self.method.labels)

    def state(self) -> dict[str, Tensor]:
        """What is learned, what Adam keeps of it, and what the kernel keeps (see `Stepper.state`)."""
        learned = {name: tensor.detach() for name, tensor in self.optimizer.tensors.items()}
        return {**learned, **self.optimizer.state(), **{f"kernel/{name}": value for name, value in self.kernel.state().items()}}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a `state` (see `Stepper.restore`)."""
        what = "the state of the regression"
        check_tensors(state, self.state(), what)
        of_kernel = {name.removeprefix("kernel/"): value for name, value in state.items() if name.startswith("kernel/")}
        self.kernel.check(of_kernel, what)
        self.kernel.restore(of_kernel)
        self.optimizer.restore(state)
        with torch.no_grad():
            for name, tensor in self.optimizer.tensors.items():
                tensor.copy_(state[name])

    def _regression(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What the kernel sees of images of the set, and the weights of the regression on them."""
        support = self.kernel.seen(self.pixels[rows])
        kernel = self.kernel.between(support, support)
        return support, ridge_weights(kernel, self.labels[rows].double(), ridge=self.method.ridge, relative=self.method.relative)

    def _predicted(self, images: Tensor, support: Tensor, weights: Tensor) -> Tensor:
        """What the regression predicts of real images, ``image class``."""
        with torch.no_grad():
            seen = self.kernel.seen(images)
        return self.kernel.between(seen, support) @ weights

    def _rows(self, iteration: int) -> Tensor:
        """The images of the set that a step reads."""
        images, most = len(self.pixels), self.method.inner_batch
        if not 0 < most < images:
            return torch.arange(images)
        return torch.randperm(images, generator=random.generator(self.seed, iteration, "inner batch"))[:most]

    def _coded(self, classes: Tensor) -> Tensor:
        """Classes as float64 ``image class``: one-hot, and centred where labels may be below 0."""
        coded = F.one_hot(classes, self.data.classes).double()
        return coded if self.method.labels in UNIT else coded - 1 / self.data.classes

    def _first_labels(self) -> Tensor:
        """The labels that a run starts from, float32 ``image class``."""
        if self.method.labels in UNIT:
            return torch.full((len(self.pixels), self.data.classes), 1 / self.data.classes)
        return self._coded(torch.arange(self.data.classes).repeat_interleave(self.ipc)).float()

    @torch.no_grad()
    def _bound(self) -> None:
        """Keep labels from 0 to 1 that are to be so, and probabilities such."""
        if self.method.labels in UNIT:
            self.labels.clamp_(0, 1)
        if self.method.labels == "probabilities":
            sums = self.labels.sum(1, keepdim=True)
            self.labels.copy_(torch.where(sums > 0, self.labels / sums.clamp(min=1e-12), 1 / self.data.classes))
