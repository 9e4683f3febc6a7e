"""What the engine resolved to: device, precision, compilation, layout, size of micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from datastill.configuration import whole
from datastill.engine import hardware
from datastill.engine.compiling import announce, why_unsafe
from datastill.engine.convolution import CONVOLUTIONS, DIRECT, fastest, use, works
from datastill.engine.cost import widest_map
from datastill.engine.memory import keep_buffers
from datastill.engine.policy import PRECISIONS, Policy
from datastill.engine.ranks import Ranks
from datastill.errors import UserError
from datastill.logs import logger
from datastill.networks import Network

log = logger(__name__)

FEWEST = 8
"""A micro-batch is not made smaller than this, however large the images."""


@dataclass(frozen=True)
class Engine:
    """Where and how networks run.

    Attributes:
        device: Where images and networks live.
        precision: In what the convolutions compute; norms' statistics, losses, embeddings and pixels stay in 32 bits.
        compiled: Whether networks go through ``torch.compile``.
        convolutions: By which kernels of ours layers are computed, one of `datastill.engine.convolution.CONVOLUTIONS`.
        micro_batch: The most images that go through a network at a time; None for as many as `in_flight` allows.
        in_flight: Bytes of a network's widest map that are in memory at a time. On a CPU a quarter of the last-level cache, so that
            the next layer still finds what one layer writes, below 16 MiB; on a GPU 1 GiB.
        asked: What was asked for, which `suited` chooses by again; None for an engine made by hand, which stays as it is.
        ranks: The processes that share the run; what `suited` chooses is for this one alone.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: torch.dtype = torch.float32
    compiled: bool = False
    convolutions: str = DIRECT
    micro_batch: int | None = None
    in_flight: int = hardware.LEAST_IN_FLIGHT
    asked: Policy | None = None
    ranks: Ranks = field(default_factory=Ranks, compare=False, repr=False)

    def __post_init__(self) -> None:
        whole("in_flight", self.in_flight, least=1)
        if self.micro_batch is not None:
            whole("micro_batch", self.micro_batch, least=1)

    @classmethod
    def choose(cls, *, device: str = "auto", precision: str = "auto", compile: bool | None = None, cost: float = float("inf")) -> Engine:
        """Choose what suits the machine and the size of the job.

        Args:
            device: "auto" takes a GPU if there is one; otherwise a name that torch knows, such as "cpu" or "cuda:1".
            precision: "fp32", "bf16", or "auto": bf16 where compiled, and on a CPU only where it was measured to be faster.
            compile: Whether to compile; None decides by the size of the job and whether a compiler is there.
            cost: Approximate floating-point operations of the job.

        Raises:
            UserError: If the device or the precision is unknown.
        """
        place, asked = hardware.device(device), Policy(precision, compile)
        chosen, compiled = asked.resolve(place, cost)
        if place.type == "cuda":  # by default convolutions there round to 19 bits and may differ from run to run
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cudnn.deterministic = True
        ours = fastest(chosen) if compiled and place.type == "cpu" else DIRECT
        return cls(place, chosen, compiled, ours, in_flight=hardware.in_flight(place), asked=asked)

    def suited(self, cost: float) -> Engine:
        """Choose again for another job on the same device, by what was asked for."""
        if self.asked is None:
            return self
        chosen = Engine.choose(device=str(self.device), precision=self.asked.precision, compile=self.asked.compile, cost=cost)
        return replace(chosen, micro_batch=self.micro_batch, in_flight=self.in_flight)

    def as_recorded(self, recorded: Mapping[str, Any]) -> Engine:
        """Choose what was left open as a run did when it started (see `describe`): its job may grow, but what its bits depend on stays."""
        if self.asked is None:
            return self
        sizes = [recorded.get(name) for name in ("micro_batch", "in_flight")]
        if any(size is not None and (not isinstance(size, int) or size < 1) for size in sizes):
            raise UserError(f"the run's configuration is damaged: micro_batch and in_flight cannot be {sizes[0]} and {sizes[1]}")
        settled = self.asked.as_recorded(recorded, self.device)
        chosen = Engine.choose(device=str(self.device), precision=settled.precision, compile=settled.compile)
        return replace(
            chosen,
            convolutions=_as_recorded(recorded.get("convolutions", DIRECT)) if chosen.compiled else DIRECT,
            micro_batch=recorded.get("micro_batch", self.micro_batch),
            in_flight=recorded.get("in_flight", self.in_flight),
            asked=self.asked,
        )

    def describe(self) -> dict[str, str | bool | int | None]:
        """What a run's configuration records, what its bits depend on; convolutions only where they are not torch's own."""
        precision = next(name for name, value in PRECISIONS.items() if value == self.precision)
        return {
            "device": str(self.device),
            "precision": precision,
            "compiled": self.compiled,
            **({"convolutions": self.convolutions} if self.convolutions != DIRECT else {}),
            "micro_batch": self.micro_batch,
            "in_flight": self.in_flight,
        }

    def images_at_a_time(self, network: Network, *, training: bool = False) -> int:
        """The most images of one micro-batch of a network (see `in_flight`), up to twice as many where it is trained."""
        if self.micro_batch is not None:
            return self.micro_batch
        in_flight = self.in_flight
        if training:  # the gradients of the weights are added up in memory after every micro-batch
            in_flight = max(in_flight, min(2 * in_flight, hardware.MOST_IN_FLIGHT))
        return max(FEWEST, in_flight // (widest_map(network) * self.precision.itemsize))

    def place(self, network: Network) -> Network:
        """Move a network to the device, in the layout and the way that convolutions are fastest in, and have buffers kept there."""
        if self.device.type == "cpu":
            keep_buffers()
        use(network, self.convolutions)
        return network.to(self.device).to(memory_format=torch.channels_last)

    def compile(self, function: Callable[..., tuple[Tensor, ...]]) -> Callable[..., tuple[Tensor, ...]]:
        """Compile a function of tensors of fixed shapes, or return it as it is.

        Raises:
            UserError: If other users could put their code where compiled code is kept.
        """
        if not self.compiled:
            return function
        if why := why_unsafe():
            raise UserError(why)
        torch._dynamo.config.recompile_limit = 64
        announce()
        compiled: Callable[..., tuple[Tensor, ...]] = torch.compile(function, dynamic=False)
        return compiled


def _as_recorded(convolutions: object) -> str:
    if convolutions not in CONVOLUTIONS:
        expected = f"{', '.join(CONVOLUTIONS[:-1])} or {CONVOLUTIONS[-1]}"
        raise UserError(f"the run's configuration is damaged: convolutions cannot be {convolutions!r}, expected {expected}")
    if not works(str(convolutions)):
        log.warning("the run's layers were computed by kernels that do not work here: from now on by torch's own, equal to rounding")
    return str(convolutions)
