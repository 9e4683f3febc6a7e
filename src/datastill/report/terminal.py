"""The terminal: lines and tables. Whatever they say, it is shown and never obeyed: no control characters, no markup."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from datastill.text import escaped

FEWEST_COLUMNS = 16
"""A table's column of words is not made narrower than this."""


def say_line(text: str) -> None:
    """Print a line."""
    print(escaped(text), flush=True)


def say_table(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    words: Collection[int] = (0,),
    simple: bool = False,
    otherwise: str = "",
) -> None:
    """Print a table. No figure is cut off: on a terminal too narrow for all of them, a line for every cell is printed instead.

    Args:
        title: Stands above it.
        head: The columns' names.
        rows: A cell for every column.
        words: The columns of words, which may be broken into lines.
        simple: Whether the table has few rules.
        otherwise: What is printed on a narrow terminal instead of a line for every cell.
    """
    from rich.box import HEAVY_HEAD, SIMPLE
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Column, Table

    title, head, rows = escaped(title), [escaped(name) for name in head], [[escaped(cell) for cell in row] for row in rows]
    terminal = Console(markup=False, emoji=False, highlight=False)  # to which no text is markup
    figures = [place for place in range(len(head)) if place not in words]
    longest = [max((cell_len(row[place]) for row in rows), default=0) for place in range(len(head))]
    room = terminal.width - (2 if simple else 3) * len(head) - 2 - sum(min(longest[place], FEWEST_COLUMNS) for place in words)
    names = [cell_len(head[place]) for place in figures]
    # The columns of figures as wide as their names where there is room, otherwise narrower, but never cutting a figure.
    widths = (
        [max(longest[place], min(name, most)) for place, name in zip(figures, names, strict=True)] for most in range(max(names), -1, -1)
    )
    fitting = next((found for found in widths if sum(found) <= room), None)
    if fitting is None:
        say_line(title)
        for line in [otherwise] if otherwise else _listed(head, rows):
            say_line(line)
        return
    fixed = dict(zip(figures, fitting, strict=True))
    columns = [Column(name, overflow="fold", width=fixed.get(place)) for place, name in enumerate(head)]
    table = Table(*columns, title=title, box=SIMPLE if simple else HEAVY_HEAD, padding=(0, 1, 0, 0 if simple else 1))
    for row in rows:
        table.add_row(*row)
    terminal.print(table)


def _listed(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for the first cell of every row, and for each of the others that is not empty."""
    found = []
    for row in rows:
        found += [row[0], *(f"  {name} {cell}" for name, cell in zip(head[1:], row[1:], strict=True) if cell)]
    return found
