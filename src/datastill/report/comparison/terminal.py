"""A comparison on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from datastill.report.comparison.formats import SPREAD, cells, head, unmeasured, warning
from datastill.report.comparison.tables import Comparison
from datastill.text import printable

LONG = ("differs in", "from")
"""Columns that may go on in the next line where the terminal is narrow."""


def print_comparison(comparison: Comparison) -> None:
    """Print a table for every set of conditions."""
    console = Console()
    for table in comparison.tables:
        shown = Table(
            *(Column(name, overflow="fold", no_wrap=name not in LONG) for name in head(table)), title=Text(printable(table.title))
        )
        for line in table.lines:
            shown.add_row(*(Text(printable(cell)) for cell in cells(table, line)))  # as text: names may hold what is markup to rich
        console.print(shown)
        if warning(table):
            console.print(Text(warning(table)), soft_wrap=True)
    console.print(Text(SPREAD), soft_wrap=True)
    if told := unmeasured(comparison.unmeasured):
        console.print(Text(printable(told)), soft_wrap=True)
