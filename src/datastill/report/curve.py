"""Accuracy over iterations and over time as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datastill.files import write_atomic


def write_curves(points: Sequence[dict[str, Any]], target: Path, title: str) -> None:
    """Draw validation accuracy over iterations and over minutes of distilling, a line per method.

    Args:
        points: Each with method, iteration, minutes and validation_accuracy.
        target: A PNG file.
        title: Above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key, label in zip(
        panels, ("iteration", "minutes"), ("iteration", "minutes of distilling (median step x steps)"), strict=True
    ):
        for method in dict.fromkeys(point["method"] for point in points):
            mine = [point for point in points if point["method"] == method]
            axes.plot([point[key] for point in mine], [point["validation_accuracy"] for point in mine], marker="o", label=method)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("top-1 on the validation split, %")
    panels[0].legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomic(target, buffer.getvalue())
