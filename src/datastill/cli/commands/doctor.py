"""What a bug report needs."""

from __future__ import annotations


def doctor() -> None:
    """Print what a bug report needs: versions, the machine, whether compiling works, what the cache holds."""
    from datastill.report.doctor import print_findings

    print_findings()
