"""How fast it runs: device, precision, compilation, layout, micro-batches. What is computed is decided elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import machine
from datastill.errors import UserError
from datastill.networks import Features, Network, concatenate
from datastill.operations import widest_map

log = logging.getLogger(__name__)

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
WORTH_COMPILING = 1e13
"""Operations of a job above which compiling (20 to 60 s on two cores, a few seconds when it was compiled before) pays for itself."""
FEWEST = 8
"""A micro-batch is not made smaller than this, however large the images."""


@dataclass(frozen=True)
class Engine:
    """Where and how networks run.

    Attributes:
        device: Where images and networks live.
        precision: In what the convolutions compute; norms' statistics, losses, embeddings and pixels stay in 32 bits.
        compiled: Whether networks go through ``torch.compile``.
        micro_batch: The most images that go through a network at a time; None for as many as `in_flight` allows.
        in_flight: Bytes of a network's widest map that are in memory at a time. On a CPU a quarter of its last cache, so that what one
            layer writes the next one still finds there, below 16 MiB; on a GPU 1 GiB.
        asked: The precision and the compilation that were asked for, which `suited` chooses by again; None for an engine made by hand,
            which stays as it is.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: torch.dtype = torch.float32
    compiled: bool = False
    micro_batch: int | None = None
    in_flight: int = machine.LEAST_IN_FLIGHT
    asked: tuple[str, bool | None] | None = None

    @classmethod
    def choose(
        cls, *, device: str = "auto", precision: str = "auto", compile: bool | None = None, operations: float = float("inf")
    ) -> Engine:
        """Choose what suits the machine and the size of the job.

        Args:
            device: "auto" takes a GPU if there is one; otherwise a name that torch knows, such as "cpu" or "cuda:1".
            precision: "fp32", "bf16", or "auto": bf16 where compiled and supported by the hardware.
            compile: Whether to compile; None decides by the size of the job and whether a compiler is there.
            operations: Floating-point operations the job takes, roughly.

        Raises:
            UserError: If the device or the precision is unknown.
        """
        place, asked = machine.device(device), (precision, compile)
        if precision not in ("auto", *PRECISIONS):
            raise UserError(f"unknown precision '{precision}'; expected auto, fp32 or bf16")
        if compile and (why := machine.why_no_compiler(place)):
            raise UserError(
                f"--compile needs a C++ compiler (g++ or clang++), or Triton on a GPU, but {why}; mend it, or leave --compile out"
            )
        if compile is None:
            compile = operations > WORTH_COMPILING
            if compile and (why := machine.why_no_compiler(place)):
                log.warning("%s: uncompiled it is several times slower", why)
                compile = False
        if place.type == "cuda":  # by default convolutions there round to 19 bits and may differ from run to run
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cudnn.deterministic = True
        if precision == "auto":
            precision = "bf16" if compile and machine.bf16_supported(place) else "fp32"
        return cls(place, PRECISIONS[precision], compile, in_flight=machine.in_flight(place), asked=asked)

    def suited(self, operations: float) -> Engine:
        """Choose again for another job on the same device, by what was asked for."""
        if self.asked is None:
            return self
        chosen = Engine.choose(device=str(self.device), precision=self.asked[0], compile=self.asked[1], operations=operations)
        return replace(chosen, micro_batch=self.micro_batch, in_flight=self.in_flight)

    def as_recorded(self, recorded: Mapping[str, Any]) -> Engine:
        """Choose what was left open as a run did when it was begun (see `describe`): its job may grow, what its bits depend on may not."""
        if self.asked is None:
            return self
        sizes = [recorded.get(name) for name in ("micro_batch", "in_flight")]
        if any(size is not None and (not isinstance(size, int) or size < 1) for size in sizes):
            raise UserError(f"the run's configuration is damaged: micro_batch and in_flight cannot be {sizes[0]} and {sizes[1]}")
        precision, compile = self.asked
        if precision == "auto":
            precision = recorded.get("precision", precision)
        if compile is None and (not recorded.get("compiled") or not machine.why_no_compiler(self.device)):
            compile = recorded.get("compiled")
        chosen = Engine.choose(device=str(self.device), precision=precision, compile=compile)
        return replace(
            chosen,
            micro_batch=recorded.get("micro_batch", self.micro_batch),
            in_flight=recorded.get("in_flight", self.in_flight),
            asked=self.asked,
        )

    def describe(self) -> dict[str, str | bool | int | None]:
        """What a run's configuration records, what its bits depend on."""
        precision = next(name for name, value in PRECISIONS.items() if value == self.precision)
        return {
            "device": str(self.device),
            "precision": precision,
            "compiled": self.compiled,
            "micro_batch": self.micro_batch,
            "in_flight": self.in_flight,
        }

    def images_at_a_time(self, network: Network, *, training: bool = False) -> int:
        """The most images of one micro-batch of a network (see `in_flight`), up to twice as many where it is trained."""
        if self.micro_batch is not None:
            return self.micro_batch
        in_flight = self.in_flight
        if training:  # the gradients of the weights are added up in memory after every micro-batch
            in_flight = max(in_flight, min(2 * in_flight, machine.MOST_IN_FLIGHT))
        return max(FEWEST, in_flight // (widest_map(network) * self.precision.itemsize))

    def place(self, network: Network) -> Network:
        """Move a network to the device, in the layout that convolutions are fastest in."""
        return network.to(self.device).to(memory_format=torch.channels_last)

    def runner(self, network: Network, fields: Sequence[str]) -> Runner:
        """Make a function from images to the named features of a network."""
        return Runner(self, network, fields)

    def compile(self, function: Callable[..., tuple[Tensor, ...]]) -> Callable[..., tuple[Tensor, ...]]:
        """Compile a function of tensors of fixed shapes, or return it as it is."""
        if not self.compiled:
            return function
        torch._dynamo.config.recompile_limit = 64
        machine.keep_compiled()
        compiled: Callable[..., tuple[Tensor, ...]] = torch.compile(function, dynamic=False)
        return compiled


class Runner:
    """A network as a function from images to features, in micro-batches of one size so that nothing is compiled twice.

    Make one for each use (real images, synthetic images): the first call fixes the size of the micro-batches. The network may be reset
    or loaded anew between calls.
    """

    def __init__(self, engine: Engine, network: Network, fields: Sequence[str]) -> None:
        self.engine, self.network, self.fields = engine, network, tuple(fields)
        self.limit, self.size = engine.images_at_a_time(network), 0
        self._compute = engine.compile(self._tensors)

    def __call__(self, images: Tensor) -> Features:
        """Compute the features of normalised ``image channel height width``, in 32 bits."""
        count = len(images)
        if self.network.batchwise and self.network.training:
            self.size = count  # the images are normalised by one another
        self.size = self.size or even_micro_batch(count, self.limit)
        parts = [self._features(self._compute(part)) for part in pieces(images, self.size)]
        features = concatenate(parts)
        return features if count % self.size == 0 else features.apply(lambda value: value[:count])

    def _tensors(self, images: Tensor) -> tuple[Tensor, ...]:
        images = images.to(self.engine.precision, memory_format=torch.channels_last)
        features = self.network(images)
        single = [getattr(features, name).float() for name in self.fields if name != "blocks"]
        blocks = [block.float() for block in features.blocks] if "blocks" in self.fields else []
        return (*single, *blocks)

    def _features(self, tensors: tuple[Tensor, ...]) -> Features:
        names = [name for name in self.fields if name != "blocks"]
        empty = tensors[0].new_empty(0)
        found = dict(zip(names, tensors, strict=False))
        return Features(
            blocks=tuple(tensors[len(names) :]),
            map=found.get("map", empty),
            embedding=found.get("embedding", empty),
            logits=found.get("logits", empty),
        )


def pieces(images: Tensor, size: int) -> list[Tensor]:
    """Cut a batch into micro-batches of one size, the last one padded with zero images."""
    missing = -len(images) % size
    if missing:
        images = torch.cat([images, images.new_zeros(missing, *images.shape[1:])])
    return list(torch.split(images, size))


def even_micro_batch(count: int, limit: int) -> int:
    """The size of the fewest micro-batches of at most `limit` images, as even as possible.

    Example:
        >>> even_micro_batch(100, 64), even_micro_batch(2560, 64), even_micro_batch(7, 64)
        (50, 64, 7)
    """
    return -(-count // -(-count // limit))


class Trainer:
    """Trains a network from its weights on: cross-entropy, SGD with momentum and weight decay, exact micro-batches.

    Instance norm works image by image, so a batch cut into micro-batches has the same gradient; one with batch norm is not cut.

    Args:
        engine: How to run.
        network: What to train; its weights stay in 32 bits.
        learning_rate: The first learning rate; change it with `set_learning_rate`.
        momentum: Of SGD.
        weight_decay: Of SGD, on every parameter.
        nesterov: Whether the momentum is Nesterov's.
    """

    def __init__(
        self,
        engine: Engine,
        network: Network,
        *,
        learning_rate: float,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        nesterov: bool = False,
    ) -> None:
        self.engine, self.network = engine, network
        self.optimizer = torch.optim.SGD(
            network.parameters(), lr=learning_rate, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, fused=True
        )
        self.limit, self.size = engine.images_at_a_time(network, training=True), 0
        self._loss = engine.compile(self._tensors)

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, int]:
        """Take one step on a batch.

        Args:
            images: Normalised ``image channel height width``, any number.
            labels: ``image``, int64.

        Returns:
            The mean cross-entropy and how many images were classified correctly, both before the step.
        """
        count = len(images)
        self.size = count if self.network.batchwise else self.size or even_micro_batch(count, self.limit)
        self.optimizer.zero_grad(set_to_none=True)
        weights = torch.full((count,), 1 / count, device=images.device)
        losses, hits = [], []
        for part, label, weight in zip(*(pieces(tensor, self.size) for tensor in (images, labels, weights)), strict=True):
            loss, correct = self._loss(part, label, weight)
            torch.autograd.backward(loss)
            losses.append(loss.detach())
            hits.append(correct)
        self.optimizer.step()
        return float(torch.stack(losses).sum()), int(torch.stack(hits).sum())  # read last: reading waits for the device

    def set_learning_rate(self, value: float, *, restart_momentum: bool = False) -> None:
        """Change the learning rate; optionally forget the momentum, as the DC protocol does at half time."""
        if restart_momentum:
            self.optimizer.state.clear()
        for group in self.optimizer.param_groups:
            group["lr"] = value

    def state(self) -> dict[str, Tensor]:
        """Copies of the weights by name and of the momenta by ``momentum.NAME``, where there are any yet."""
        buffers = {name: self.optimizer.state[entry].get("momentum_buffer") for name, entry in self.network.named_parameters()}
        momenta = {f"momentum.{name}": buffer.clone() for name, buffer in buffers.items() if buffer is not None}
        return {**{name: value.clone() for name, value in self.network.weights().items()}, **momenta}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over a `state`; without momenta the momentum starts afresh."""
        self.network.take(state)
        self.optimizer.state.clear()
        for name, entry in self.network.named_parameters():
            if (momentum := state.get(f"momentum.{name}")) is not None:
                # The fused step pairs weights and momentum by their place in memory: both must have the same layout.
                self.optimizer.state[entry]["momentum_buffer"] = torch.empty_like(entry).copy_(momentum)

    def _tensors(self, images: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        images = images.to(self.engine.precision, memory_format=torch.channels_last)
        logits = self.network(images).logits
        loss = (F.cross_entropy(logits, labels, reduction="none") * weights).sum()
        return loss, ((logits.argmax(1) == labels) & (weights > 0)).sum()
