"""Cells as jobs of Slurm, given to it by submitit."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

from datastill.configuration import whole
from datastill.errors import UserError
from datastill.experiments.executors.pool import LostError, OnCluster, log_into, spread
from datastill.experiments.executors.queue import PAUSE
from datastill.experiments.performing import Outcome, Task, perform
from datastill.files import make_folder, reason

JOBS = ".slurm"
"""The folder below the runs where submitit keeps what it gives to jobs, and what they print."""
WAITING = 30.0
"""Seconds until a cell is given to Slurm again that another process is working on, as where an earlier command was killed and its jobs
go on."""
MINUTES = 24 * 60
"""How long a job may take where the options do not say; a cell that takes longer continues in another one."""


@dataclass(frozen=True)
class OnSlurm(OnCluster):
    """Runs every cell as a job of Slurm. A job that is preempted, or reaches its time, is put into the queue again and continues.

    Jobs go on when the command that gave them is killed: the same command waits for their cells, and gives them again where they failed.

    Args:
        place: How many jobs are in the queue at a time, by default all; cores of each, by default 1; GPUs of each; options such as
            ``partition=gpu``, ``account=NAME`` and ``time=600``, in minutes, by the names that ``sbatch`` has for them.
        manager: "slurm"; "local" for processes of this machine and "debug" for this process, to try it out without Slurm.

    Raises:
        UserError: If submitit is not installed, or something else was given.
    """

    manager: str = "slurm"

    def __post_init__(self) -> None:
        self.place.only("slurm", "cpus", "gpus", "slurm")
        if self.place.gpus != int(self.place.gpus):
            raise UserError(f"a job of Slurm has whole GPUs, got `gpus={self.place.gpus:g}`")
        _options(self.place.options)
        _submitit()

    def __call__(self, tasks: Iterable[Task]) -> Generator[Outcome]:
        """Run tasks.

        Raises:
            UserError: If there is no Slurm here, or it does not take the options.
        """
        waiting = iter(tasks)
        for first in waiting:
            pool = _Jobs(_submitit(), self, first.runs.absolute() / JOBS)
            yield from spread(chain([first], waiting), pool, self.place.workers, WAITING if self.manager == "slurm" else PAUSE)


class _Jobs:
    """A pool of submitit's jobs."""

    def __init__(self, submitit: ModuleType, asked: OnSlurm, folder: Path) -> None:
        self._submitit, self._debugging = submitit, asked.manager == "debug"
        make_folder(folder)
        options, minutes = _options(asked.place.options)
        given = {f"slurm_{name}": value for name, value in options.items()} if asked.manager == "slurm" else {}
        try:
            self._executor = submitit.AutoExecutor(folder / "%j", cluster=asked.manager)
            self._executor.update_parameters(
                name="datastill",
                timeout_min=minutes,
                cpus_per_task=asked.cores,
                **({"gpus_per_node": int(asked.place.gpus)} if asked.place.gpus else {}),
                **given,
            )
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            raise UserError(
                f"no jobs can be given to Slurm here ({reason(error)}): run this where `sbatch` works, with options of it"
            ) from error

    def submit(self, task: Task) -> Any:
        asked = Task(task.cell, task.results.absolute(), task.runs.absolute())
        try:
            return self._executor.submit(_Cell(str(Path.cwd()), self._debugging), asked)
        except self._submitit.core.utils.FailedSubmissionError as error:
            raise UserError(f"Slurm does not take the job of {task.name} ({' '.join(str(error).split())})") from error

    def finished(self, jobs: Sequence[Any]) -> list[Any]:
        done = [job for job in jobs if self._debugging or job.done()]
        if not done:
            time.sleep(PAUSE / 4)
        return done[:1] if self._debugging else done

    def outcome(self, job: Any) -> Outcome:
        try:
            found: Outcome = job.result()
        except (self._submitit.core.utils.UncompletedJobError, OSError) as error:
            raise LostError(f"ended as job {job.job_id}: {reason(error)}") from error
        return found

    def stop(self, jobs: Sequence[Any]) -> None:
        for job in jobs:
            job.cancel(check=False)


@dataclass(frozen=True)
class _Cell:
    """What a job calls. When its time is over or it is preempted, submitit asks it for what is to be done then: the same again.

    Attributes:
        folder: Where the command was given.
        here: Whether it is called in the process of the command, whose output stays its own.
    """

    folder: str
    here: bool

    def __call__(self, task: Task) -> Outcome:
        """Run a task."""
        if self.here:
            return perform(task)
        import torch

        if Path(self.folder).is_dir():
            os.chdir(self.folder)
        torch.set_num_threads(int(os.environ.get("SLURM_CPUS_PER_TASK", "1")))
        log_into(task)
        return perform(task)

    def checkpoint(self, task: Task) -> Any:
        """What continues it: the run has its own checkpoints."""
        return _submitit().helpers.DelayedSubmission(self, task)


def _submitit() -> ModuleType:
    try:
        import submitit
        import submitit.core.utils
        import submitit.helpers
    except ImportError as error:
        raise UserError("`executor=slurm` needs the package submitit: pip install 'datastill[slurm]'") from error
    found: ModuleType = submitit
    return found


def _options(given: Sequence[str]) -> tuple[dict[str, str], int]:
    """Options of jobs by name, and their minutes."""
    options = {}
    for entry in given:
        name, equals, value = entry.partition("=")
        if not equals or not name.isidentifier() or not value:
            raise UserError(f"`slurm` takes NAME=VALUE, separated by commas, such as partition=gpu,time=600, got '{entry}'")
        options[name] = value
    minutes = options.pop("time", str(MINUTES))
    if not minutes.isdecimal():
        raise UserError(f"the time of a job is a whole number of minutes, such as time=600, got '{minutes}'")
    return options, whole("time", int(minutes), least=1)
