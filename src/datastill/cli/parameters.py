"""Parameters that several commands share, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, Token

from datastill.errors import UserError

if TYPE_CHECKING:
    from datastill.data import DataSet
    from datastill.distilled import DistilledSet
    from datastill.engine import Engine


def whole(hint: Any, tokens: Sequence[Token]) -> int:
    """Read a whole number; 2.9 is not one."""
    text = tokens[0].value
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(f'expected a whole number, got "{text}"')
    return int(text)


Whole = Annotated[int, Parameter(converter=whole)]
Device = Annotated[str, Parameter(help="auto, cpu, cuda, cuda:1, mps")]
Precision = Annotated[Literal["auto", "fp32", "bf16"], Parameter(help="precision of the convolutions; auto is bf16 where that is faster")]
Compile = Annotated[bool | None, Parameter(help="compile the networks; by default if the job is long enough", negative="--no-compile")]
Preset = Annotated[
    str | None,
    Parameter(help="values to use: paper, code (the published code's), fast (cheapest), best (highest so far); default paper"),
]
Set = Annotated[
    list[str] | None,
    Parameter(name="--set", help="change a value: TERM.FIELD=VALUE or FIELD=VALUE, e.g. cc.weight=0.02; repeatable", negative=""),
]
DryRun = Annotated[
    bool, Parameter(help="estimate time, memory and disk from a few steps, list what is trained first, and stop", negative="")
]
CheckpointSeconds = Annotated[float, Parameter(help="seconds between checkpoints; 0 writes one after every iteration")]
Log = Annotated[
    list[str] | None,
    Parameter(name="--log", help="also send the figures to tensorboard, to wandb, or to a logger of a plug-in; repeatable", negative=""),
]
Validation = Annotated[float, Parameter(help="share of the training split held out for choices")]


Source = Annotated[Path, Parameter(help="a run's or a set's folder, hub:OWNER/NAME, or a file of images made by other code")]
"""A distilled set."""
FromData = Annotated[str | None, Parameter(help="data set that a file made by other code was distilled from")]
Number = Annotated[Whole | None, Parameter(help="which set to read if such a file holds several, counted from 1; default the last")]
Labels = Annotated[
    Literal["hard", "probabilities", "weights", "logits", "scores"] | None,
    Parameter(help="what the soft labels of such a file are; default probabilities if they sum to one, else what such files usually hold"),
]


def foreign(path: Path, data: str | None, experiment: int | None, labels: str | None) -> tuple[DistilledSet, DataSet] | None:
    """Read a file made by other code, with the data set that it was distilled from; None for one of our own sets."""
    from datastill.data import load
    from datastill.distilled import FOREIGN_FILES, DistilledSet

    if path.is_dir() or path.suffix not in FOREIGN_FILES or data is None:
        if experiment is not None or labels is not None:
            raise UserError("--experiment and --labels are for files made by other code and need --data, what they were distilled from")
        return None
    distilled_from = load(data)
    return DistilledSet.load_foreign(path, distilled_from, experiment=experiment, label_kind=labels), distilled_from


def opened(path: Path, data: str | None, experiment: int | None, labels: str | None) -> DistilledSet:
    """Read a distilled set, our own or one made by other code."""
    from datastill.distilled import DistilledSet

    read = foreign(path, data, experiment, labels)
    return read[0] if read else DistilledSet.load(path)


def numbers(text: str | None) -> list[int]:
    """Read the iterations of --validate-at."""
    try:
        return [int(part) for part in text.split(",")] if text else []
    except ValueError as error:
        raise UserError(f"--validate-at takes iterations separated by commas, such as 0,500,1000, got '{text}'") from error


def entries(text: str | None) -> list[str]:
    """Split at commas, but not at those between brackets.

    Example:
        >>> entries("data=cifar10[3,5],ipc=10")
        ['data=cifar10[3,5]', 'ipc=10']
    """
    return re.split(r",(?![^\[]*\])", text) if text else []


def seconds(hint: Any, tokens: Sequence[Token]) -> float:
    """Read a time such as 2h, 90m or 1h30m."""
    text = tokens[0].value
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", text)
    if not parts or "".join(map("".join, parts)) != text:
        raise ValueError(f'expected a time such as 2h, 90m or 1h30m, got "{text}"')
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
Time = Annotated[float, Parameter(converter=seconds)]


def engine_of(device: str, precision: str, compile: bool | None, cost: float) -> Engine:
    """Choose how to run, by what was asked for and the size of the job."""
    from datastill.engine import Engine

    return Engine.choose(device=device, precision=precision, compile=compile, cost=cost)


def agree(config: object, given: Mapping[str, tuple[Any, Any]]) -> None:
    """Refuse options that contradict a run's configuration.

    Args:
        config: The configuration's name.
        given: By option, what was given, None for nothing, and what the configuration has; None where it has no such thing.

    Raises:
        UserError: If one of them is given and is not what the configuration has.
    """
    for option, (value, recorded) in given.items():
        if value is None or value == recorded:
            continue
        has = "already has every value of the method" if recorded is None else f"has {recorded}"
        raise UserError(f"{option} contradicts {config}, which {has}: leave it out, or change a copy of the file")
