"""Accuracy over iterations and over time as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datastill.files import write_atomic
from datastill.report.model import ContinualPoint, CurvePoint, MethodLine, TeacherPoint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

APART = 1.04
"""Factor between what lines of a logarithmic axis are drawn at, so that none hides another."""


def write_curves(points: Sequence[CurvePoint], target: Path, title: str) -> None:
    """Draw validation accuracy over iterations and over minutes of distilling, a line per method.

    Args:
        points: Of all methods, in order.
        target: A PNG file.
        title: Above the picture.
    """
    figure = figure_of((11, 4), title)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, minutes, label in zip(
        panels, (False, True), ("iteration", "minutes of distilling (median seconds per step x steps)"), strict=True
    ):
        for method in dict.fromkeys(point.method for point in points):
            mine = [point for point in points if point.method == method]
            reached = [point.validation_accuracy for point in mine]
            axes.plot([point.minutes if minutes else point.iteration for point in mine], reached, marker="o", label=method)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("top-1 on the validation split, %")
    panels[0].legend()
    save_figure(figure, target)


def write_ratios(lines: Sequence[MethodLine], target: Path, title: str) -> None:
    """Draw accuracy over images per class, a line per method with its standard deviation; what is published is dashed in its colour.

    Args:
        lines: Of all methods.
        target: A PNG file.
        title: Above the picture.
    """
    figure = figure_of((7, 4), title)
    axes = figure.subplots()
    methods = list(dict.fromkeys(line.method for line in lines))
    for number, method in enumerate(methods):
        mine = sorted((line for line in lines if line.method == method), key=lambda line: line.ipc)
        spread = [line.std or 0.0 for line in mine]
        ipcs = [line.ipc * APART ** (number - (len(methods) - 1) / 2) for line in mine]  # points that agree stay visible
        axes.errorbar(ipcs, [line.accuracy for line in mine], yerr=spread, marker="o", capsize=3, color=f"C{number}", label=method)
        published = [math.nan if line.paper is None or line.paper_differs else line.paper for line in mine]
        axes.plot(ipcs, published, "x--", color=f"C{number}", alpha=0.5)
    axes.set_xscale("log")
    measured = sorted({line.ipc for line in lines})
    axes.set_xticks(measured, [f"{ipc:g}" for ipc in measured])
    axes.set_xticks([], minor=True)
    compared = any(line.published is not None and not line.paper_differs for line in lines)
    axes.set_xlabel("images per class (dashed: published)" if compared else "images per class")
    axes.set_ylabel("top-1, %")
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, target)


def write_teacher_curves(points: Sequence[TeacherPoint], target: Path, title: str) -> None:
    """Draw accuracy over minutes of training, a colour per recipe: held-out as a line, on the training batches dashed.

    Args:
        points: Of all recipes, in order.
        target: A PNG file.
        title: Above the picture.
    """
    figure = figure_of((7, 4), title)
    axes = figure.subplots()
    for number, recipe in enumerate(dict.fromkeys(point.recipe for point in points)):
        mine = [point for point in points if point.recipe == recipe]
        minutes, held_out = [point.minutes for point in mine], [point.held_out_accuracy or math.nan for point in mine]
        axes.plot(minutes, held_out, marker="o", color=f"C{number}", label=f"{recipe}, held out")
        axes.plot(minutes, [point.training_accuracy for point in mine], "x--", color=f"C{number}", label=f"{recipe}, training batches")
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("top-1, %")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, target)


def write_continual_curves(points: Sequence[ContinualPoint], target: Path, title: str) -> None:
    """Draw accuracy over the number of classes seen, a line per method with its standard deviation, a panel per number of steps.

    Args:
        points: Of all methods, in order.
        target: A PNG file.
        title: Above the picture.
    """
    numbers = list(dict.fromkeys(point.steps for point in points))
    figure = figure_of((5.5 * len(numbers), 4), title)
    panels = figure.subplots(1, len(numbers), sharey=True, squeeze=False)[0]
    methods = list(dict.fromkeys(point.method for point in points))
    for axes, steps in zip(panels, numbers, strict=True):
        for number, method in enumerate(methods):
            mine = [point for point in points if (point.steps, point.method) == (steps, method)]
            if mine:
                seen, reached, spread = zip(*((point.classes_seen, point.accuracy, point.std or 0.0) for point in mine), strict=True)
                step = min(seen) / 25
                places = [classes + step * (number - (len(methods) - 1) / 2) for classes in seen]
                axes.errorbar(places, reached, yerr=spread, marker="o", capsize=3, color=f"C{number}", label=method)
        axes.set_xticks(sorted({point.classes_seen for point in points if point.steps == steps}))
        axes.set_title(f"{steps} steps", fontsize=9)
        axes.set_xlabel("classes seen")
        axes.grid(alpha=0.3)
        axes.legend()
    panels[0].set_ylabel("top-1 on the classes seen, %")
    panels[0].set_ylim(top=min(100.0, panels[0].get_ylim()[1]))
    save_figure(figure, target)


def figure_of(size: tuple[float, float], title: str) -> Figure:
    """An empty picture of a width and height in inches, with a title."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    return figure


def save_figure(figure: Figure, target: Path) -> None:
    """Write a picture as PNG; the same one gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomic(target, buffer.getvalue())
