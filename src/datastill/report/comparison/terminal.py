"""A comparison on the terminal."""

from __future__ import annotations

from datastill.report.comparison.formats import SPREAD, cells, head, unmeasured, warning
from datastill.report.comparison.tables import Comparison
from datastill.report.terminal import say_line, say_table

WORDS = ("method", "differs in", "from")
"""The columns that are words."""


def print_comparison(comparison: Comparison) -> None:
    """Print a table for every set of conditions."""
    for table in comparison.tables:
        columns = head(table)
        words = [place for place, name in enumerate(columns) if name in WORDS]
        say_table(table.title, columns, [cells(table, line) for line in table.lines], words=words)
        if warning(table):
            say_line(warning(table))
    say_line(SPREAD)
    if told := unmeasured(comparison.unmeasured):
        say_line(told)
