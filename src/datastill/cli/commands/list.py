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
    from datastill.report import method_list
    from datastill.report.listing import kept, rows
    from datastill.report.terminal import say_line

    if what == "methods":
        for line in method_list.lines(method_list.entries()):
            say_line(line)
        return
    entries = rows(what) if what != "sets" else kept(results)
    width = max((len(name) for name, _ in entries), default=0)
    for name, summary in entries:
        say_line(f"{name:<{width}}  {summary}")
