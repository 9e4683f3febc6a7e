"""What every encoder is: the network of a step, and its features of real and synthetic images."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from datastill.configuration import check_fields
from datastill.data import DataSet
from datastill.engine import Engine, Runner
from datastill.engine.cost import feature_values
from datastill.engine.measuring import nbytes
from datastill.errors import UserError, unknown
from datastill.files import check_tensors
from datastill.networks import Features, Network, build, network_type
from datastill.teachers.missing import Untrained


@dataclass(frozen=True)
class Encoder(ABC):
    """Says where features come from; `open` makes the session that computes them.

    Attributes:
        network: A name of `datastill.networks.NETWORKS`.
        every: Its terms count only at every N-th iteration, with N times their weight: the same pull at a fraction of the cost.
        most: The most synthetic images of a class that it reads, a new draw every iteration; 0 reads all. A term that is smaller because
            of this gets a larger weight (see `datastill.terms.Term.share`).
        targets: Draws of augmentation and real images whose targets are computed once for each of its networks and kept on disk, for
            every run that asks for the same; 0 computes them again at every iteration. Only networks of a fixed set recur.
        target_images: Real images of a class that a kept target is taken from; 0 for the method's real batch. The size of the
            largest class, or more, takes whole classes.
        called: What `named` finds it by; empty for one that cannot be made by its name alone.
        trains: Whether its networks are trained and know their accuracy.
        apart: Whether an image's features never depend on the other images, whatever the network.
        steady: Whether the networks of late iterations are like those of early ones, so that losses can be compared over a run.
    """

    called: ClassVar[str] = ""
    trains: ClassVar[bool] = False
    steady: ClassVar[bool] = True
    apart: ClassVar[bool] = False

    network: str = "convnet"
    every: int = field(default=1, kw_only=True)
    most: int = field(default=0, kw_only=True)
    targets: int = field(default=0, kw_only=True)
    target_images: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.every < 1:
            raise UserError(f"an encoder's every must be at least 1 (1 reads it at every iteration), got {self.every}")
        if self.most < 0:
            raise UserError(f"an encoder's most must be at least 1, or 0 for all synthetic images of a class, got {self.most}")
        if self.targets < 0 or self.target_images < 0:
            raise UserError(f"an encoder's targets and target_images must be at least 0, got {self.targets} and {self.target_images}")

    @classmethod
    def named(cls, name: str) -> Encoder:
        """An encoder by its name, as a setting gives it: ``matching=trajectory``.

        Raises:
            UserError: If there is none of that name.
        """
        known = {each.called: each for each in Encoder.__subclasses__() if each.called}
        if name not in known:
            raise unknown("encoder", name, known)
        return known[name]()

    @property
    def fixed(self) -> int:
        """How many networks it draws from, if they are always the same; 0 where no network comes twice."""
        return 0

    def check_targets(self, name: str) -> None:
        """Refuse to keep targets of networks that never recur, or of images that depend on the others in the batch.

        Args:
            name: What the method calls the encoder.

        Raises:
            UserError: If targets are to be kept and cannot be.
        """
        if not self.targets:
            return
        network = network_type(self.network)
        if not self.fixed:
            fixed = f"`{name}.count=N` with a number of networks, or " if hasattr(self, "count") else ""
            advice = f"use {fixed}`{name}.targets=0`"
            raise UserError(f"targets can be kept only for networks that recur, but '{name}' draws a new network every time: {advice}")
        if network.batchwise and not self.apart:
            raise UserError(
                f"the images of all classes go through {self.network} together, so no class has its own target to keep: use "
                f"another network, `{name}.network=NAME`, or `{name}.targets=0`"
            )

    @abstractmethod
    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Prepare everything for a run: build the network, pretrain what is missing.

        Args:
            data: What is distilled.
            engine: How to run.
            seed: The run's seed.
            fields: The fields of `Features` that the terms read.
        """

    def cost(self, data: DataSet) -> float:
        """Approximate floating-point operations of an iteration, apart from the features."""
        return 0.0

    def memory(self, data: DataSet) -> int:
        """Bytes that it takes at least, apart from features."""
        return 0

    def training_seconds(self, data: DataSet) -> Mapping[Hashable, float]:
        """Networks that were trained for it and are in the cache: what tells each from others, and how many seconds it took.

        Encoders that read the same network name it alike, so that its seconds count once.
        """
        return {}

    def missing(self, data: DataSet) -> tuple[Untrained, ...]:
        """Networks that `open` trains first, as they are not in the cache."""
        return ()

    def untrained(self) -> Encoder:
        """The same without networks that are trained first, for measuring how long a step takes."""
        return self


class Session(ABC):
    """An encoder during a run: one frozen network in place, given new weights every step.

    Args:
        network: The network's name.
        data: What is distilled.
        engine: How to run.
        fields: The fields of `Features` to compute.

    Attributes:
        accuracy: Share in [0, 1] of training images that the network in place classifies correctly; 0 if unknown.
        member: Which of a fixed set of networks is in place; None where no network comes twice.
        values: Numbers that the features of one image are.
    """

    accuracy: float = 0.0
    member: int | None = None

    def __init__(self, network: str, data: DataSet, engine: Engine, fields: Sequence[str]) -> None:
        self.network: Network = engine.place(build(network, channels=data.channels, classes=data.classes, size=data.size))
        self.values = feature_values(self.network, fields)
        self.network.freeze(engine.precision)
        self.fields = tuple(fields)
        self._real = {use: Runner(engine, self.network, fields) for use in ("batch", "sample", "kept")}
        self._synthetic = Runner(engine, self.network, fields)

    @abstractmethod
    def begin(self, iteration: int) -> None:
        """Put the weights of an iteration in place; a function of the iteration, the seed and the `state`, not of what ran before."""

    def advance(self, iteration: int, synthetic: Callable[[], Tensor]) -> None:  # noqa: B027  # most encoders have nothing to do
        """Do what the encoder does after an iteration, such as training its networks; nothing by default.

        Args:
            iteration: The one that was just finished.
            synthetic: Gives the images after it, expanded and not augmented, ``class image channel height width``, without gradients.
        """

    def state(self) -> dict[str, Tensor]:
        """What the next iteration depends on, apart from its number and the seed; nothing by default."""
        return {}

    def state_bytes(self, iteration: int) -> int:
        """Bytes of the `state` after an iteration, which may be one to come."""
        return nbytes(list(self.state().values()))

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a `state`; by default there must be none.

        Raises:
            UserError: If it is not exactly what `state` gives.
        """
        check_tensors(state, {}, f"the state of an encoder {self.network.name}")

    def checksums(self) -> dict[str, str]:
        """Checksums of weights that were read from files, by name; none for weights drawn from the seed."""
        return {}

    def real(self, images: Tensor, labels: Tensor, use: str = "batch") -> Features:
        """Features of real images, without gradients, stacked by class.

        Args:
            images: ``class image channel height width``.
            labels: Which classes they are of.
            use: What for: "batch", "sample" or "kept". Each has micro-batches of its own size, so none depends on what else is read.
        """
        with torch.no_grad():
            return self._real[use](images.flatten(0, 1)).stack(labels, accuracy=self.accuracy)

    def synthetic(self, images: Tensor, labels: Tensor) -> Features:
        """Features of ``class image channel height width``, with gradients to the images, stacked by class.

        Args:
            images: The synthetic images.
            labels: Which classes they are of.
        """
        found = self._synthetic(images.flatten(0, 1))
        return found.stack(labels, accuracy=self.accuracy, pixels=images[0, 0].numel())


def check_sgd(who: str, learning_rate: float, momentum: float, weight_decay: float) -> None:
    """Refuse what a network cannot be trained with by SGD.

    Args:
        who: What is to be trained, as the message says it.
        learning_rate: Must be above 0 and finite.
        momentum: Must be in [0, 1).
        weight_decay: Must be at least 0 and finite.

    Raises:
        UserError: If one of them is not.
    """
    if not 0 < learning_rate < math.inf or not 0 <= momentum < 1 or not 0 <= weight_decay < math.inf:
        raise UserError(
            f"{who} needs a learning rate above 0, a momentum in [0, 1) and a weight decay of at least 0, "
            f"got {learning_rate}, {momentum}, {weight_decay}"
        )


def check_accuracies(values: Tensor, what: str) -> None:
    """Refuse accuracies that are not shares.

    Args:
        values: Any number of them.
        what: What they are of, for the message.

    Raises:
        UserError: If one is not in [0, 1].
    """
    if values.numel() and not 0 <= float(values.min()) <= float(values.max()) <= 1:
        raise UserError(f"{what} does not fit: accuracies must be from 0 to 1, got {float(values.min()):.4g} to {float(values.max()):.4g}")


def seconds_of_training(encoders: Iterable[Encoder], data: DataSet) -> float:
    """How long the training of the networks that encoders read took, each counted once; 0 for what is not trained yet."""
    return sum({key: seconds for encoder in encoders for key, seconds in encoder.training_seconds(data).items()}.values())


def missing_once(encoders: Iterable[Encoder], data: DataSet) -> tuple[Untrained, ...]:
    """Networks that encoders read and that are not in the cache; where several read the same ones, those of the one that reads most."""
    most: dict[Hashable, Untrained] = {}
    for encoder in encoders:
        for each in encoder.missing(data):
            alike = replace(each, count=0)
            if alike not in most or each.count > most[alike].count:
                most[alike] = each
    return tuple(most.values())
