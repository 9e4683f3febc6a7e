"""List names."""

from __future__ import annotations

from typing import Literal


def list_(what: Literal["datasets", "networks", "methods", "terms", "experiments"], /) -> None:
    """List the names that the other commands take."""
    from datastill.report.listing import rows

    entries = rows(what)
    width = max(len(name) for name, _ in entries)
    for name, summary in entries:
        print(f"{name:<{width}}  {summary}")
