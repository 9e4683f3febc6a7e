"""A run that has been checked but not begun."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from datastill.configuration import check_fields, whole
from datastill.configuration import seed as checked_seed
from datastill.data import DataSet, load
from datastill.engine import Engine, Ranks, hardware
from datastill.engine.memory import check_memory
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.files import check_folder
from datastill.logs import logger
from datastill.methods import Method, method, resolved
from datastill.runs.folder import Run
from datastill.runs.loggers import Loggers, RunLogger
from datastill.runs.plan import Plan
from datastill.setting import usual_method

log = logger(__name__)


def check_size(composed: Method, data: DataSet, ipc: int, device: torch.device) -> None:
    """Refuse what a method cannot do with a data set, or a device has no memory for: before an engine is chosen, as that may compile.

    Args:
        composed: The method.
        data: The data set.
        ipc: Synthetic images per class.
        device: Where it would run.

    Raises:
        UserError: If so.
    """
    composed.check(data, ipc)
    what = f"the images of {composed.name} at IPC {ipc} on {data.name}"
    check_memory(composed.memory(data, ipc), device, what, composed.lower)


@dataclass(frozen=True)
class Job:
    """What `datastill.distill` was asked for, checked and resolved.

    Attributes:
        data: What is distilled.
        method: How.
        ipc: Synthetic images per class.
        iterations: The total number of steps.
        seed: Of the run.
        validate_at: Iterations after which a network is trained on the set and tested on the validation split.
        protocol: How.
        engine: How to run; of a continued run as it was.
        run: Keeps it; None keeps nothing.
        resume: Whether to continue what is there.
        loggers: Where the figures go, too.
    """

    data: DataSet
    method: Method
    ipc: int
    iterations: int
    seed: int
    validate_at: tuple[int, ...]
    protocol: Protocol
    engine: Engine
    run: Run | None
    resume: bool
    loggers: Loggers = field(default_factory=Loggers)

    @classmethod
    def of(
        cls,
        data: DataSet | str | Any,
        named: Method | str | None,
        *,
        ipc: int,
        iterations: int | None = None,
        seed: int = 0,
        out: Path | str | None = None,
        resume: bool = False,
        preset: str | None = None,
        settings: Sequence[str] = (),
        validate_at: Sequence[int] = (),
        protocol: Protocol | str | None = None,
        engine: Engine | None = None,
        loggers: Sequence[str | RunLogger] = (),
        ranks: Ranks | None = None,
    ) -> Job:
        """Check what was asked for; the arguments are those of `datastill.distill`, and the processes that share the run.

        Raises:
            UserError: If anything given is unknown or does not fit together.
        """
        ipc, seed = whole("ipc", ipc, least=1), checked_seed(seed)
        iterations = None if iterations is None else whole("iterations", iterations, least=1)
        if not isinstance(validate_at, Iterable) or isinstance(validate_at, str | bytes):
            raise UserError(f"`validate_at` must be a list of iterations, got a {type(validate_at).__name__}")
        validate_at = [whole("validate_at", iteration, least=0) for iteration in validate_at]
        if out is not None:
            check_folder(Path(out))
            if ranks is None or ranks.count == 1:  # before data is read, as on the command line
                Run(Path(out)).existing(resume=resume)
        found = Loggers.of(loggers)
        data = load(data)
        if named is None:
            named = usual_method(preset or "paper")
        if isinstance(named, str):
            composed = method(named, data=data, ipc=ipc, preset=preset or "paper", settings=settings)
        elif settings or preset:
            given = "settings" if settings else f"the preset '{preset}'"
            raise UserError(f"{given} would change a method given by name; set the fields of a method object instead")
        else:
            composed = resolved(named, data, ipc)
        if iterations is not None and composed.steps not in (None, iterations):
            log.info("%s is a method of %s, which needs no iterations: the number given is ignored", composed.name, composed.kind)
        iterations = composed.iterations(iterations)
        check_fields(composed, composed.name)
        if never := composed.never(iterations):
            log.warning("%s", never)
        if late := [iteration for iteration in validate_at if iteration > iterations]:
            raise UserError(f"validation at iteration {late[0]} is not within the run's 0 to {iterations} iterations")
        if validate_at:
            data.split("validation")
        if ranks and ranks.count > 1:
            composed.check_shared(data, ranks.count)
        check_size(composed, data, ipc, engine.device if engine else hardware.device("auto"))
        engine = engine or Engine.choose(cost=composed.cost(data, ipc) * iterations)
        run = Run(Path(out)) if out is not None else None
        if run and resume and (begun := run.config()):
            recorded = begun.get("engine")
            engine = engine.as_recorded(recorded if isinstance(recorded, Mapping) else {})
        engine = replace(engine, ranks=ranks) if ranks else engine
        return cls(data, composed, ipc, iterations, seed, tuple(validate_at), Protocol.given(protocol), engine, run, resume, found)

    @property
    def plan(self) -> Plan:
        """What its configuration says."""
        engine = self.engine
        return Plan(
            self.data.describe(), self.method, self.ipc, self.seed, engine.describe(), self.iterations, self.validate_at, self.protocol,
            engine.asked,
        )  # fmt: skip
