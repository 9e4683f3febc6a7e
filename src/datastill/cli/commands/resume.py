"""Continue a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from datastill.cli import launched
from datastill.cli.commands.distill import say
from datastill.cli.parameters import CheckpointSeconds, Log, Whole


def resume(
    run: Annotated[Path, Parameter(help="the run's folder")],
    /,
    *,
    iterations: Annotated[Whole | None, Parameter(help="total steps; default as many as the run was started with")] = None,
    checkpoint_seconds: CheckpointSeconds = 20.0,
    log: Log = None,
) -> None:
    """Continue the run in the folder RUN with the options that it was started with.

    A run that was stopped gives the same bits as one that was not. A finished run takes more steps with more --iterations.
    Started by torchrun, any number of processes share it, whatever it was begun with.
    """
    from datastill.runs.repeat import resume as go_on

    share = launched.count() > 1
    say(go_on(run, iterations=iterations, checkpoint_seconds=checkpoint_seconds, loggers=log or (), share=share), run)
