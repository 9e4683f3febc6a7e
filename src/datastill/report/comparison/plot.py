"""A comparison as a picture."""

from __future__ import annotations

import io
from pathlib import Path

from datastill.files import through_links, write_atomic
from datastill.report.comparison.tables import Comparison, ComparisonTable

PICTURES = (".png", ".pdf", ".svg")
"""Endings of pictures."""
UNLIKE = {"png": "Software", "pdf": "CreationDate", "svg": "Date"}
"""What would make two pictures of one comparison differ, by the kind of file."""


def write_plot(comparison: Comparison, target: Path) -> None:
    """Draw a panel for every table: the mean of every line, its standard deviation as a bar, and a random subset as a cross.

    Args:
        comparison: What to draw.
        target: A file with one of the endings of `PICTURES`.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [0.9 + 0.3 * len(table.lines) for table in comparison.tables]
    figure = Figure(figsize=(8, sum(heights)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(comparison.tables), squeeze=False, height_ratios=heights)
    for axes, table in zip(panels[:, 0], comparison.tables, strict=True):
        rows = range(len(table.lines))
        means, spreads = [line.accuracy for line in table.lines], [line.std or 0.0 for line in table.lines]
        axes.errorbar(means, rows, xerr=spreads, fmt="o", capsize=3)
        random = [(line.random, row) for row, line in enumerate(table.lines) if line.random is not None]
        if random:
            axes.plot(*zip(*random, strict=True), "kx", label="random subset")
            axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))  # beside the panel, where it covers nothing
        axes.set_yticks(rows, _names(table))
        axes.set_ylim(len(rows) - 0.5, -0.5)  # the first line at the top, and half a line of room at both ends
        axes.set_title(table.title, fontsize=8)
        axes.set_xlabel("top-1, %")
        axes.grid(alpha=0.3)
    buffer, kind = io.BytesIO(), target.suffix[1:]
    with rc_context({"svg.hashsalt": "datastill"}):
        figure.savefig(buffer, format=kind, metadata={UNLIKE[kind]: None})
    write_atomic(through_links(target), buffer.getvalue())


def _names(table: ComparisonTable) -> list[str]:
    """What tells the lines apart; marks of mathematics are letters here."""
    names = [", ".join(filter(None, (line.name, line.differs, f"IPC {line.ipc:g}"))) for line in table.lines]
    return [name.replace("$", r"\$") for name in names]
