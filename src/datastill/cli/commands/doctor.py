"""What a bug report needs."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def doctor(
    *, compile: Annotated[bool, Parameter(help="try the compiler too, which takes up to a minute the first time", negative="")] = False
) -> None:
    """Print what a bug report needs: versions, the machine, what it can do, what the cache holds."""
    from datastill.report.doctor import print_findings

    print_findings(compile=compile)
