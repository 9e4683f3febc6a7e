"""The kind of method that chooses real images: a coreset, which every distilled set has to beat.

Nothing is learned. The one step of a run is the choice, and its canvas are the chosen images exactly as they are.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.engine import Engine, Runner
from datastill.engine.cost import forward_cost
from datastill.engine.inference import BLOCK, seconds_of_all
from datastill.errors import UserError
from datastill.files import check_tensors, checksum
from datastill.kinds.canvas import Canvas
from datastill.kinds.method import Measured, Method, Stepper
from datastill.logs import logger
from datastill.networks import build
from datastill.progress import progress
from datastill.teachers.missing import Untrained
from datastill.teachers.pool import found, measured_on, pool_folder
from datastill.teachers.pretraining import pretrain
from datastill.teachers.recipe import RECIPES, TrainingRecipe
from datastill.teachers.stored import PretrainedNetwork
from datastill.text import counted

log = logger(__name__)


@dataclass(frozen=True)
class Selection(Method):
    """A way to choose IPC real images of every class; a subclass says which."""

    kind: ClassVar[str] = "selection"
    steps: ClassVar[int | None] = 1

    @abstractmethod
    def choose(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Tensor:
        """Choose images.

        Returns:
            Their positions in the training split, int64 ``class image``, in the order in which they were chosen.
        """

    def networks_used(self, data: DataSet, engine: Engine) -> dict[str, str]:
        """Train what the choice needs and is missing; checksums of it by name (see `Stepper.encoders_used`)."""
        return {}

    def check(self, data: DataSet, ipc: int) -> None:
        """Refuse an IPC that a class has too few images for (see `Method.check`)."""
        smallest = min(data.train.counts)
        if smallest < ipc:
            name = data.class_names[data.train.counts.index(smallest)]
            remedy = f"use `ipc={smallest}`{' or less' * (smallest > 1)}" if smallest else "a selection needs an image of every class"
            raise UserError(f"the class '{name}' has {counted(smallest, 'training image')}, fewer than IPC {ipc}: {remedy}")

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Get ready to choose (see `Method.open`)."""
        return SelectionStepper(self, data, engine, ipc, seed)

    def measure(self, data: DataSet, engine: Engine, ipc: int, seed: int, iterations: int) -> Measured:
        """No time, unless a subclass sends images through a network (see `Method.measure`)."""
        positions = drawn(data, ipc, seed)
        return Measured(0.0, positions.nbytes, Canvas.stacked(_images(data, positions)))

    def cost(self, data: DataSet, ipc: int) -> float:
        """Nothing, unless a subclass sends images through a network (see `Method.cost`)."""
        return 0.0


@dataclass(frozen=True)
class EmbeddingSelection(Selection):
    """A choice by the embeddings of the images of a class in a network trained on the data; a subclass says which.

    The network is number 0 of its pool, so the seed of the run changes nothing.

    Attributes:
        network: A name of `datastill.networks.NETWORKS`.
        recipe: How it is trained.
    """

    network: str = "convnet"
    recipe: TrainingRecipe = field(default_factory=lambda: RECIPES["fast"])

    @abstractmethod
    def order(self, embeddings: Tensor, ipc: int) -> Tensor:
        """Choose among the images of one class.

        Args:
            embeddings: float32 ``image feature``.
            ipc: How many to choose.

        Returns:
            Their rows, int64, in the order in which they were chosen.
        """

    def check(self, data: DataSet, ipc: int) -> None:
        """Also refuse an unknown network (see `Method.check`)."""
        super().check(data, ipc)
        build(self.network, channels=data.channels, classes=data.classes, size=data.size)

    def choose(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Tensor:
        """Choose class by class (see `Selection.choose`)."""
        network = engine.place(build(self.network, channels=data.channels, classes=data.classes, size=data.size))
        network.take(self._teacher(data, engine).weights)
        runner = Runner(engine, network.eval(), ("embedding",))
        title = f"{self.name}: embeddings of the training images"
        orders = (self.order(embeddings, ipc) for embeddings in _class_embeddings(runner, data, title))
        return torch.stack([order.cpu() + offset for order, offset in zip(orders, data.train.offsets, strict=False)])

    def networks_used(self, data: DataSet, engine: Engine) -> dict[str, str]:
        """The network, trained if it is missing (see `Selection.networks_used`)."""
        teacher = self._teacher(data, engine)
        log.info("%s: %s pretrained, %.1f%% on %s", self.name, self.network, teacher.accuracy, measured_on(data))
        return {"pretrained 0": checksum(teacher.weights)}

    def cost(self, data: DataSet, ipc: int) -> float:
        """Every training image through the network once (see `Method.cost`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        return len(data.train) * forward_cost(network)

    def measure(self, data: DataSet, engine: Engine, ipc: int, seed: int, iterations: int) -> Measured:
        """Measure the network on one block of images (see `Method.measure`)."""
        network = engine.place(build(self.network, channels=data.channels, classes=data.classes, size=data.size))
        runner = Runner(engine, network.eval(), ("embedding",))
        return replace(super().measure(data, engine, ipc, seed, iterations), seconds=seconds_of_all(runner, data.train, data))

    def missing(self, data: DataSet) -> tuple[Untrained, ...]:
        """The network, if it is not in the cache (see `Method.missing`)."""
        trained = found(data, self.network, 1, self.recipe)
        return () if trained else (Untrained(self.network, 1, self.recipe, pool_folder(data, self.network, self.recipe)),)

    def pretraining_seconds(self, data: DataSet) -> float:
        """Seconds of the network's training, if it is in the cache (see `Method.pretraining_seconds`)."""
        return sum(member.seconds for member in found(data, self.network, 1, self.recipe))

    def _teacher(self, data: DataSet, engine: Engine) -> PretrainedNetwork:
        return pretrain(data, self.network, 1, self.recipe, engine)[0]


class SelectionStepper(Stepper):
    """A `Selection` during a run. Until its step is taken, its images are a random draw."""

    def __init__(self, method: Selection, data: DataSet, engine: Engine, ipc: int, seed: int) -> None:
        self.method, self.data, self.engine, self.ipc, self.seed = method, data, engine, ipc, seed
        self.networks = method.networks_used(data, engine)
        self.positions = drawn(data, ipc, seed)

    def step(self, iteration: int) -> dict[str, float]:
        """Choose, and count what was chosen (see `Stepper.step`)."""
        chosen, images = self.positions.numel(), len(self.data.train)
        log.info("%s: choosing %d of %d training images, %d of each class", self.method.name, chosen, images, self.ipc)
        self.positions = self.method.choose(self.data, self.engine, self.ipc, self.seed)
        return {"chosen": float(chosen)}

    def images(self) -> Tensor:
        """The chosen images (see `Stepper.images`)."""
        return _images(self.data, self.positions)

    def state(self) -> dict[str, Tensor]:
        """The positions of the chosen images in the training split (see `Stepper.state`)."""
        return {"positions": self.positions}

    def encoders_used(self) -> dict[str, str]:
        """Checksums of what the choice depends on (see `Stepper.encoders_used`)."""
        return self.networks

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over the positions (see `Stepper.restore`)."""
        what = f"the state of {self.method.name}"
        check_tensors(state, {"positions": self.positions}, what)
        first, end = (torch.tensor(self.data.train.offsets)[part, None] for part in (slice(None, -1), slice(1, None)))
        if bool(((state["positions"] < first) | (state["positions"] >= end)).any()):
            raise UserError(f"{what} does not fit: it holds positions of images of other classes")
        self.positions = state["positions"]


def _images(data: DataSet, positions: Tensor) -> Tensor:
    """The images at positions ``class image`` of the training split, normalised."""
    return torch.unflatten(data.normalise(data.train.gather(positions.flatten())), 0, tuple(positions.shape))


def drawn(data: DataSet, ipc: int, seed: int) -> Tensor:
    """Draw IPC positions of every class without replacement, ``class image``."""
    return torch.stack([data.train.draw(label, ipc, random.generator(seed, label, "random subset")) for label in range(data.classes)])


def _class_embeddings(runner: Runner, data: DataSet, title: str) -> Iterator[Tensor]:
    """The embeddings of every class's training images, class after class, ``image feature``."""
    device = runner.engine.device
    with progress(title, data.classes, unit="class") as bar:
        for label in range(data.classes):
            blocks = torch.split(torch.arange(*data.train.offsets[label : label + 2]), BLOCK)
            with torch.no_grad():
                parts = [runner(data.normalise(data.train.gather(rows).to(device))).embedding for rows in blocks]
            bar.advance()
            yield torch.cat(parts)
