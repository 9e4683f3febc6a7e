"""A comparison as Markdown, LaTeX, comma-separated values or a picture, by the ending of a file's name."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datastill.errors import UserError
from datastill.files import through_links, write_atomic
from datastill.report.comparison.plot import PICTURES, write_plot
from datastill.report.comparison.tables import Comparison, ComparisonLine, ComparisonTable
from datastill.report.markdown import table as markdown_table

SPREAD = (
    "After +- is the standard deviation, with n in its denominator: over the networks where there is one set, over the means of the "
    "sets where there are several. n is the number of networks."
)
MOST_SOURCES = 4
"""How many folders of a line a table names; the comma-separated values have all."""
SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", **{mark: f"\\{mark}" for mark in "&%$#_{}"}}


def head(table: ComparisonTable) -> list[str]:
    """The columns of a table, without those that are empty in it."""
    columns = ["method", "IPC", "accuracy %", "95% interval", "n", "from"]
    if any(line.differs for line in table.lines):
        columns.insert(1, "differs in")
    if any(line.random is not None for line in table.lines):
        columns.insert(-1, "random subset %" if table.conditions.labels == "hard" else "random subset, hard labels %")
    return columns


def cells(table: ComparisonTable, line: ComparisonLine) -> list[str]:
    """A line in the columns of its table."""
    values = {
        "method": line.name,
        "differs in": line.differs,
        "IPC": f"{line.ipc:g}",
        "accuracy %": f"{line.accuracy:.2f}" + ("" if line.std is None else f" +- {line.std:.2f}"),
        "95% interval": "" if line.interval95 is None else f"+- {line.interval95:.2f}",
        "n": str(line.n) if line.sets == 1 else f"{line.n} on {line.sets} sets",
        "from": joined(line.sources),
    }
    random = "" if line.random is None else f"{line.random:.2f}"
    return [values.get(column, random) for column in head(table)]


def joined(paths: Sequence[str]) -> str:
    """Paths in one, as a shell takes them.

    Example:
        >>> joined(["runs/dm/seed0"]), joined(["runs/dm/seed0", "runs/dm/seed1"]), joined(["a", "runs/b"])
        ('runs/dm/seed0', 'runs/dm/{seed0,seed1}', '{a,runs/b}')
    """
    if len(paths) == 1:
        return paths[0]
    parts = [Path(path).parts for path in paths]
    shared = 0
    while len({part[: shared + 1] for part in parts}) == 1:
        shared += 1
    names = ["/".join(part[shared:]) for part in parts]
    shown = [*names[:MOST_SOURCES], "..."] if len(names) > MOST_SOURCES else names
    return "/".join([*parts[0][:shared], f"{{{','.join(shown)}}}"])


def warning(table: ComparisonTable) -> str:
    """What a reader must know before comparing lines; empty for nothing."""
    if len(table.precisions) < 2:
        return ""
    return f"Networks were trained in several precisions ({', '.join(table.precisions)}): small differences may be due to that."


def markdown(comparison: Comparison) -> str:
    """A heading and a table for every set of conditions."""
    lines = ["# Comparison", ""]
    for table in comparison.tables:
        lines += [f"## {table.title}", "", *markdown_table(head(table), [cells(table, line) for line in table.lines]), ""]
        lines += [warning(table), ""] if warning(table) else []
    return "\n".join([*lines, SPREAD, *_unmeasured(comparison)]) + "\n"


def latex(comparison: Comparison) -> str:
    """A table environment for every set of conditions, for the package booktabs; where a line was read from is a comment."""
    lines = ["% Written by datastill compare; needs \\usepackage{booktabs}."]
    for table in comparison.tables:
        columns = head(table)[:-1]
        rows = [" & ".join(map(_tex, cells(table, line)[:-1])) + rf" \\ % {' '.join(joined(line.sources).split())}" for line in table.lines]
        lines += [
            r"\begin{table}",
            rf"  \caption{{{_tex(table.title)}. {_tex(' '.join(filter(None, (SPREAD, warning(table)))))}}}",
            rf"  \begin{{tabular}}{{{'l' * len(columns)}}}",
            r"    \toprule",
            f"    {' & '.join(map(_tex, columns))} " + r"\\",
            r"    \midrule",
            *(f"    {row}" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
        ]
    return "\n".join(lines) + "\n"


def comma_separated(comparison: Comparison) -> str:
    """A line for every line of every table, with its conditions."""
    rows: list[dict[str, Any]] = []
    for table in comparison.tables:
        conditions = asdict(table.conditions)
        conditions |= {f"protocol.{name}": value for name, value in conditions.pop("protocol").items()}
        rows += [{**asdict(line), "sources": "; ".join(line.sources), **conditions} for line in table.lines]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


FORMATS: dict[str, Callable[[Comparison], str]] = {".md": markdown, ".tex": latex, ".csv": comma_separated}
"""What a comparison can be written as, by the ending of the file's name; and pictures."""


def check_target(path: Path) -> None:
    """Refuse a name whose ending is not that of a known format.

    Raises:
        UserError: If it has another ending.
    """
    known = (*FORMATS, *PICTURES)
    if path.suffix not in known:
        raise UserError(f"{path} has no known format: expected a name that ends in {', '.join(known[:-1])} or {known[-1]}")


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write a comparison as the ending of a file's name says.

    Raises:
        UserError: If it has another ending, or the file cannot be written.
    """
    check_target(path)
    if path.suffix in PICTURES:
        write_plot(comparison, path)
    else:
        write_atomic(through_links(path), FORMATS[path.suffix](comparison))


def unmeasured(paths: Sequence[Path]) -> str:
    """A line about sets without a result; empty for none."""
    if not paths:
        return ""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"not evaluated: {paths[0]}{more}; datastill evaluate {paths[0]} --out {paths[0] / 'evaluation.json'}"


def _unmeasured(comparison: Comparison) -> list[str]:
    told = unmeasured(comparison.unmeasured)
    return ["", f"{told[0].upper()}{told[1:]}"] if told else []


def _tex(text: str) -> str:
    r"""Escape what LaTeX takes for commands.

    Example:
        >>> _tex("a_b 50% +- 1")
        'a\\_b 50\\% $\\pm$ 1'
    """
    return re.sub(r"[\\~^&%$#_{}]", lambda match: SPECIAL[match[0]], text).replace("+-", r"$\pm$")
