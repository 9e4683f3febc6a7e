"""Accuracy over iterations as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datastill.files import write_atomic


def write_curves(points: Sequence[dict[str, Any]], target: Path, title: str) -> None:
    """Draw validation accuracy over iterations, a line per method.

    Args:
        points: Each with method, iteration and validation_accuracy.
        target: A PNG file.
        title: Above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for method in dict.fromkeys(point["method"] for point in points):
        mine = [point for point in points if point["method"] == method]
        axes.plot([point["iteration"] for point in mine], [point["validation_accuracy"] for point in mine], marker="o", label=method)
    axes.set_xlabel("iteration")
    axes.set_ylabel("top-1 on the validation split, %")
    axes.set_title(title, fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomic(target, buffer.getvalue())
