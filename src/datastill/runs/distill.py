"""Distilling a data set: open the run, take the steps, keep the set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datastill import provenance
from datastill.configuration import number
from datastill.data import DataSet
from datastill.distilled import DistilledSet, Origin
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.logs import logger
from datastill.methods import Method
from datastill.runs.configuration import plain
from datastill.runs.folder import Run
from datastill.runs.job import Job
from datastill.runs.loggers import Loggers, RunLogger
from datastill.runs.loop import SECONDS_BETWEEN_CHECKPOINTS, loop
from datastill.runs.previews import Previews
from datastill.runs.sharing import sharing
from datastill.runs.validation import Validation

log = logger(__name__)

DONE = "iterations done"
"""What the number of steps taken is called beside a state."""


def distill(
    data: DataSet | str | Any = "digits",
    *,
    method: Method | str | None = None,
    ipc: int = 10,
    iterations: int | None = None,
    seed: int = 0,
    out: Path | str | None = None,
    resume: bool = False,
    preset: str | None = None,
    settings: Sequence[str] = (),
    validate_at: Sequence[int] = (),
    validation_protocol: Protocol | str | None = None,
    engine: Engine | None = None,
    checkpoint_seconds: float = SECONDS_BETWEEN_CHECKPOINTS,
    loggers: Sequence[str | RunLogger] = (),
    share: bool = False,
) -> DistilledSet:
    """Distil a data set.

    Args:
        data: A data set, its name, or an object: all that `datastill.load` takes.
        method: A method, or its name in the grammar ``METHOD[+TERM...]``: it has the values published for this data set and IPC, but for
            those that you set. One that was composed for another data set or IPC is refused where its values would be others. By default
            "dm+iid"; the preset "best" has a method of its own.
        ipc: Synthetic images per class.
        iterations: The total number of steps, by default 2,000; methods with a fixed number, such as a selection, say so and use theirs.
        seed: The same seed gives the same bits on the same machine.
        out: The run's folder; None keeps nothing.
        resume: Whether to continue the run in `out`; it may have more iterations than before; everything else must agree.
        preset: Which published values to use, if `method` is a name; "paper" by default.
        settings: Changes to them, as in `datastill.methods.method`.
        validate_at: Iterations after which a network is trained on the set and tested on the validation split.
        validation_protocol: How, or its name; by default the DC protocol.
        engine: How to run; by default what suits the job. A continued run keeps the precision and compilation that it chose.
        checkpoint_seconds: The least time between checkpoints; 0 writes one after every iteration.
        loggers: Where the figures go, too: "tensorboard", "wandb", names of plug-ins, or objects (`datastill.runs.loggers.RunLogger`).
        share: Whether all processes of the initialised group of ``torch.distributed`` share the run: all of them call this with the same
            arguments, each computes the gradients of its own classes, the first one writes and speaks, and every one gets the set.

    Returns:
        The distilled set after the last iteration.

    Raises:
        UserError: If anything given is unknown or does not fit together, such as a method object with values for another IPC.
    """
    with sharing(share) as ranks:
        job = Job.of(
            data, method, ipc=ipc, iterations=iterations, seed=seed, out=out, resume=resume, preset=preset, settings=settings,
            validate_at=validate_at, protocol=validation_protocol, engine=engine, loggers=loggers, ranks=ranks,
        )  # fmt: skip
        return run_job(job, checkpoint_seconds)


def run_job(job: Job, checkpoint_seconds: float = SECONDS_BETWEEN_CHECKPOINTS) -> DistilledSet:
    """Begin or continue a run (see `distill`); of several processes the first one has its folder."""
    checkpoint_seconds = number("checkpoint_seconds", checkpoint_seconds, least=0)
    ranks, described = job.engine.ranks, job.plan.describe()
    maker = described.pop("made_by")
    ranks.same(json.dumps(described, sort_keys=True, default=str), "run")
    if ranks.count > 1:
        maker["processes"] = ranks.count
    run = job.run if ranks.first else None
    try:
        state = ranks.from_first(lambda: _begun(run, {**described, "made_by": maker}, job.resume))
        distilled = _distilled(job, run, int(state.pop(DONE)), state, checkpoint_seconds)
        if run:
            run.flush()
            distilled.save(run.folder / "distilled")
        return distilled
    finally:
        if run:
            run.close()


def _begun(run: Run | None, config: Mapping[str, Any], resume: bool) -> dict[str, Tensor]:
    """The state that a run begins with, and the number of steps that led to it."""
    if run is None:
        return {DONE: torch.tensor(0)}
    done, state = run.begin(config, resume=resume)
    return {**state, DONE: torch.tensor(done)}


def _distilled(job: Job, run: Run | None, done: int, state: dict[str, Tensor], checkpoint_seconds: float) -> DistilledSet:
    """Take the steps that are left of a run; the set after the last one."""
    data, method, ranks = job.data, job.method, job.engine.ranks
    stepper = method.open(data, job.engine, job.ipc, job.seed)
    if state:
        try:
            stepper.restore(state)
        except UserError as error:
            where = f"the checkpoint of iteration {done} in {job.run.folder if job.run else ''}"
            raise UserError(f"{where} cannot be continued from: {error}; remove it to continue from the one before") from error
        log.info("continuing %s at iteration %d", run.folder if run else "", done)
    encoders = stepper.encoders_used()
    ranks.same(json.dumps(encoders, sort_keys=True), "pretrained networks")
    if run:
        run.bind("encoders", encoders)
    loggers = job.loggers if ranks.first else Loggers()
    validate = Validation(data, stepper, run, job.seed, job.validate_at, job.protocol, job.engine, loggers)
    previews = Previews(data, stepper, run)
    loggers.begin(run.folder if run else None, plain(job.plan.describe()), done)
    try:
        loop(stepper, run, validate, previews, method.name, done, job.iterations, checkpoint_seconds, loggers, ranks)
    finally:
        loggers.end()
    origin = Origin(
        data.name, data.fingerprint, data.class_names, data.mean, data.std, data.flip,
        method=method.name, seed=job.seed, iterations=job.iterations, factor=stepper.factor, version=provenance.package_version(),
        held_out=data.held_out, kind=method.kind, whitening=data.whitened_by,
    )  # fmt: skip
    return DistilledSet.of(stepper.canvas(), origin)
