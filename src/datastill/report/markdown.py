"""Tables in Markdown and as comma-separated values, from typed lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from datastill.files import write_atomic


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Write a Markdown table, a line of text each; None is an empty cell, and a bar in a cell is escaped.

    Example:
        >>> table(["a", "b"], [[1, None]])
        ['| a | b |', '|---|---|', '| 1 |  |']
    """
    cells = [["" if cell is None else str(cell).replace("|", "\\|") for cell in row] for row in (head, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]


def write_csv(lines: Sequence[Any], target: Path) -> None:
    """Write dataclass instances of one class as comma-separated values; None is an empty cell."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [entry.name for entry in fields(lines[0])], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(line) for line in lines)
    write_atomic(target, buffer.getvalue())
