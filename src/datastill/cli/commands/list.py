"""List names."""

from __future__ import annotations

from typing import Literal


def list_(what: Literal["datasets", "networks", "methods", "terms", "experiments"], /) -> None:
    """List the names that the other commands take."""
    from datastill.report.listing import rows
    from datastill.report.terminal import say_line

    entries = rows(what)
    width = max(len(name) for name, _ in entries)
    for name, summary in entries:
        say_line(f"{name:<{width}}  {summary}")
