"""Distilling a data set: check what was given, open the run, take the steps, keep the set."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from datastill import provenance
from datastill.data import DataSet, load
from datastill.distilled import DistilledSet, Origin
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.methods import Method, check_lookup, method
from datastill.runs.folder import Run
from datastill.runs.loop import SECONDS_BETWEEN_CHECKPOINTS, loop
from datastill.runs.plan import Plan
from datastill.runs.validation import Validation

log = logging.getLogger(__name__)


def distill(
    data: DataSet | str = "digits",
    *,
    method: Method | str = "dm+iid",
    ipc: int = 10,
    iterations: int | None = None,
    seed: int = 0,
    out: Path | str | None = None,
    resume: bool = False,
    preset: str | None = None,
    settings: Sequence[str] = (),
    validate_at: Sequence[int] = (),
    validation_protocol: Protocol | None = None,
    engine: Engine | None = None,
    checkpoint_seconds: float = SECONDS_BETWEEN_CHECKPOINTS,
) -> DistilledSet:
    """Distil a data set.

    Args:
        data: A data set or its name in the grammar of `datastill.load`.
        method: A method, or its name in the grammar ``METHOD[+TERM...]``, which has the values published for this data set and IPC.
        ipc: Synthetic images per class.
        iterations: The total number of steps, by default 2,000; methods with a fixed number, such as a selection, say so and use theirs.
        seed: The same seed gives the same bits on the same machine.
        out: The run's folder; None keeps nothing.
        resume: Whether to continue the run in `out`; it may have more iterations than before; everything else must agree.
        preset: Which published values to use, if `method` is a name; "paper" by default.
        settings: Changes to them, as in `datastill.methods.method`.
        validate_at: Iterations after which a network is trained on the set and tested on the validation split.
        validation_protocol: How; by default the DC protocol.
        engine: How to run; by default what suits the job. A continued run keeps the precision and compilation that it chose.
        checkpoint_seconds: The least time between checkpoints; 0 writes one after every iteration.

    Returns:
        The distilled set after the last iteration.

    Raises:
        UserError: If anything given is unknown or does not fit together, such as a method object with values for another IPC.
    """
    data = load(data) if isinstance(data, str) else data
    if isinstance(method, str):
        method = _named(method, data, ipc, preset or "paper", settings)
    elif settings or preset:
        given = "settings" if settings else f"the preset '{preset}'"
        raise UserError(f"{given} would change a method given by name; set the fields of a method object instead")
    else:
        check_lookup(method, data, ipc)
    if iterations is not None and method.steps not in (None, iterations):
        log.info("%s is a method of %s, which needs no iterations: the number given is ignored", method.name, method.kind)
    iterations = method.iterations(iterations)
    _check(ipc, iterations, validate_at)
    if validate_at:
        data.split("validation")
    engine = engine or Engine.choose(cost=method.cost(data, ipc) * iterations)
    protocol = validation_protocol or Protocol()
    method.check(data, ipc)
    run = Run(Path(out)) if out is not None else None
    if run and resume and (begun := run.config()):
        recorded = begun.get("engine")
        engine = engine.as_recorded(recorded if isinstance(recorded, Mapping) else {})
    plan = Plan(data.describe(), method, ipc, seed, engine.describe(), iterations, tuple(validate_at), protocol, engine.asked)
    done, state = run.begin(plan.describe(), resume=resume) if run else (0, {})
    stepper = method.open(data, engine, ipc, seed)
    if state:
        stepper.restore(state)
        log.info("continuing %s at iteration %d", out, done)
    if run:
        run.bind("encoders", stepper.encoders_used())
    validate = Validation(data, stepper, run, seed, validate_at, protocol, engine)
    try:
        loop(stepper, run, validate, method.name, done, iterations, checkpoint_seconds)
    finally:
        if run:
            run.close()
    origin = Origin(
        data.name, data.fingerprint, data.class_names, data.mean, data.std, data.flip,
        method=method.name, seed=seed, iterations=iterations, factor=stepper.factor, version=provenance.package_version(),
        held_out=data.held_out, kind=method.kind,
    )  # fmt: skip
    distilled = DistilledSet.of(stepper.canvas(), origin)
    if run:
        distilled.save(run.folder / "distilled")
    return distilled


def _named(name: str, data: DataSet, ipc: int, preset: str, settings: Sequence[str]) -> Method:
    return method(name, data=data, ipc=ipc, preset=preset, settings=settings)


def _check(ipc: int, iterations: int, validate_at: Sequence[int]) -> None:
    if ipc < 1 or iterations < 1:
        raise UserError(f"distilling needs an IPC and a number of iterations of at least 1, got {ipc} and {iterations}")
    late = [iteration for iteration in validate_at if not 0 <= iteration <= iterations]
    if late:
        raise UserError(f"validation at iteration {late[0]} is not within the run's 0 to {iterations} iterations")
