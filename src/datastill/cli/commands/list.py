"""List names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def list_(
    what: Annotated[Literal["datasets", "networks", "methods", "terms", "experiments", "sets"], Parameter(help="what to list")],
    /,
    *,
    results: Annotated[Path | None, Parameter(help="with sets: the folder of results; default `results` here, or our own")] = None,
) -> None:
    """List the names that the other commands take, or the distilled sets that are kept beside their results."""
    from datastill.report.listing import lines
    from datastill.report.terminal import say_line

    for line in lines(what, results):
        say_line(line)
