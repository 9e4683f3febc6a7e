"""Watch a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def watch(run: Annotated[Path, Parameter(help="the run's folder")], /) -> None:
    """Show how the run in the folder RUN is doing until it ends: rate, time left, terms, the last accuracy, its images.

    The run may be that of another process, and may not have begun yet. Without a terminal, as in a pipe, it is shown once.
    """
    from datastill.report.watching import watch as show

    show(run)
