"""What was asked of the engine: a precision, compilation, or whatever suits the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from datastill.configuration import check_fields
from datastill.engine import hardware
from datastill.engine.convolution import bf16_is_faster
from datastill.errors import UserError, unknown
from datastill.logs import logger

log = logger(__name__)

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
WORTH_COMPILING = 1e13
"""Operations of a job above which compiling (20 to 60 s on two cores, a few seconds when it was compiled before) pays for itself."""


@dataclass(frozen=True)
class Policy:
    """What was asked for; `resolve` settles what was left open.

    Attributes:
        precision: "fp32", "bf16", or "auto": bf16 where compiled, and on a CPU only where it was measured to be faster.
        compile: Whether to compile; None decides by the size of the job and whether a compiler is there.
    """

    precision: str = "auto"
    compile: bool | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.precision not in ("auto", *PRECISIONS):
            raise unknown("precision", self.precision, ("auto", *PRECISIONS))

    def resolve(self, device: torch.device, cost: float) -> tuple[torch.dtype, bool]:
        """The precision of a job on a device, and whether it is compiled.

        Args:
            device: Where it runs.
            cost: Approximate floating-point operations of the job.

        Raises:
            UserError: If compiling is asked for and there is no compiler.
        """
        compile, precision = self.compile, self.precision
        if compile and (why := hardware.why_no_compiler(device)):
            raise UserError(
                f"`compile=True` needs a C++ compiler (g++ or clang++), or Triton on a GPU, but {why}; fix it, or leave `compile` out"
            )
        if compile is None:
            compile = cost > WORTH_COMPILING
            if compile and (why := hardware.why_no_compiler(device)):
                log.warning("%s: uncompiled it is several times slower", why)
                compile = False
        if precision == "auto":
            precision = "bf16" if compile and _gains_by_bf16(device) else "fp32"
        return PRECISIONS[precision], compile

    def as_recorded(self, recorded: Mapping[str, Any], device: torch.device) -> Policy:
        """Settle what was left open as a run recorded it when it started (see `Engine.describe`)."""
        precision, compile = self.precision, self.compile
        if precision == "auto":
            precision = recorded.get("precision", precision)
        if compile is None and (not recorded.get("compiled") or not hardware.why_no_compiler(device)):
            compile = recorded.get("compiled")
        return Policy(precision, compile)


def _gains_by_bf16(device: torch.device) -> bool:
    """Whether the device computes in bf16 itself, and sooner: on a CPU that is measured, as some are faster in 32 bits."""
    return hardware.bf16_supported(device) and (device.type != "cpu" or bf16_is_faster())
