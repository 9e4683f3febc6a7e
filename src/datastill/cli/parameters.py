"""What several commands take, and how it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from datastill.errors import UserError

if TYPE_CHECKING:
    from datastill.engine import Engine

Device = Annotated[str, Parameter(help="auto, cpu, cuda, cuda:1, mps")]
Precision = Annotated[Literal["auto", "fp32", "bf16"], Parameter(help="precision of the convolutions; auto is bf16 where compiled")]
Compile = Annotated[bool | None, Parameter(help="compile the networks; by default where the job is long enough", negative="--no-compile")]
Validation = Annotated[float, Parameter(help="share of the training split held out for choices")]


def numbers(text: str | None) -> list[int]:
    """Read the iterations of --validate-at."""
    try:
        return [int(part) for part in text.split(",")] if text else []
    except ValueError as error:
        raise UserError(f"--validate-at takes iterations separated by commas, such as 0,500,1000, got '{text}'") from error


def engine_of(device: str, precision: str, compile: bool | None, cost: float) -> Engine:
    """Choose how to run, by what was asked for and the size of the job."""
    from datastill.engine import Engine

    return Engine.choose(device=device, precision=precision, compile=compile, cost=cost)
