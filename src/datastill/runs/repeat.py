"""Repeating or continuing a run from its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Ranks
from datastill.errors import UserError
from datastill.files import check_folder
from datastill.logs import logger
from datastill.runs.distill import run_job
from datastill.runs.folder import Run
from datastill.runs.job import Job
from datastill.runs.loggers import RunLogger
from datastill.runs.loop import SECONDS_BETWEEN_CHECKPOINTS
from datastill.runs.plan import Plan
from datastill.runs.sharing import sharing

log = logger(__name__)


def repeat(
    config: Path | str | Plan,
    *,
    data: DataSet | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    checkpoint_seconds: float = SECONDS_BETWEEN_CHECKPOINTS,
    loggers: Sequence[str | RunLogger] = (),
    share: bool = False,
) -> DistilledSet:
    """Repeat a run: the same data, method, IPC, seed, iterations, engine and validations, so the same bits on the same machine.

    Args:
        config: The ``config.yaml`` of a run, or the run's folder.
        data: The data set, where its name in the configuration does not lead to it; it must be that of the run.
        out: The folder of the new run; None keeps nothing.
        resume: Whether to continue the run in `out`.
        checkpoint_seconds: As in `datastill.distill`.
        loggers: As in `datastill.distill`.
        share: As in `datastill.distill`.

    Returns:
        The distilled set after the last iteration.

    Raises:
        UserError: If the configuration cannot be read, or the data or the machine are not those of the run.
    """
    with sharing(share) as ranks:
        plan = config if isinstance(config, Plan) else Plan.read(config)
        return _repeated(plan, data, out, resume, checkpoint_seconds, loggers, ranks)


def _repeated(
    plan: Plan,
    data: DataSet | None,
    out: Path | str | None,
    resume: bool,
    checkpoint_seconds: float,
    loggers: Sequence[str | RunLogger],
    ranks: Ranks,
) -> DistilledSet:
    distilled = run_job(job_of(plan, data=data, out=out, resume=resume, loggers=loggers, ranks=ranks), checkpoint_seconds)
    read = (Run(Path(out)).config() or {}).get("encoders") if out is not None else None
    if plan.encoders and read and read != plan.encoders:
        log.warning(
            "the pretrained networks are not those of %s (%s, not %s), so the result will not have the same bits",
            plan.source,
            read,
            plan.encoders,
        )
    return distilled


def job_of(
    plan: Plan,
    *,
    data: DataSet | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    loggers: Sequence[str | RunLogger] = (),
    ranks: Ranks | None = None,
) -> Job:
    """The run that a configuration describes, on this machine (see `repeat`)."""
    if out is not None:
        check_folder(Path(out))
    return Job.of(
        plan.fitting(data) if data is not None else plan.load(),
        plan.method,
        ipc=plan.ipc,
        iterations=plan.iterations,
        seed=plan.seed,
        out=out,
        resume=resume,
        validate_at=plan.validate_at,
        protocol=plan.protocol,
        engine=plan.prepared_engine(),
        loggers=loggers,
        ranks=ranks,
    )


def resume(
    folder: Path | str,
    *,
    data: DataSet | None = None,
    iterations: int | None = None,
    checkpoint_seconds: float = SECONDS_BETWEEN_CHECKPOINTS,
    loggers: Sequence[str | RunLogger] = (),
    share: bool = False,
) -> DistilledSet:
    """Continue a run with the options that it was started with.

    Args:
        folder: The run's folder.
        data: The data set, where its name in the configuration does not lead to it; it must be that of the run.
        iterations: The total number of steps, at least those taken; None for what the run was to take.
        checkpoint_seconds: As in `datastill.distill`.
        loggers: As in `datastill.distill`.
        share: As in `datastill.distill`; as many processes as before, or more, or fewer.

    Returns:
        The distilled set after the last iteration.

    Raises:
        UserError: If there is no run, or it cannot be continued here.
    """
    if not Path(folder).exists():
        raise UserError(f"there is no run at {folder}: expected the folder of a run that was begun")
    plan = Plan.read(folder)
    if iterations is not None:
        plan = replace(plan, iterations=plan.method.iterations(iterations))
    return repeat(plan, data=data, out=folder, resume=True, checkpoint_seconds=checkpoint_seconds, loggers=loggers, share=share)
