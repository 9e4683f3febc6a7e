"""Two measures over each other, and curves of true over false positives, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datastill.report.curve import figure_of, save_figure


@dataclass(frozen=True)
class Panel:
    """Points of one panel.

    Attributes:
        title: Above it.
        x: Of every point.
        y: Of every point.
        said: The correlation, in words.
    """

    title: str
    x: Sequence[float]
    y: Sequence[float]
    said: str


@dataclass(frozen=True)
class Line:
    """A line of one panel.

    Attributes:
        label: Its name.
        panel: The panel that it is in.
        points: Of the line.
    """

    label: str
    panel: str
    points: Sequence[tuple[float, float]]


def write_scatter(panels: Sequence[Panel], target: Path, title: str, x: str, y: str) -> None:
    """Draw points, a panel for each set.

    Args:
        panels: From left to right.
        target: A PNG file.
        title: Above the picture.
        x: Below every panel.
        y: On its left.
    """
    figure = figure_of((4.2 * len(panels) + 0.4, 4), title)
    for axes, panel in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
        axes.scatter(panel.x, panel.y, s=24, alpha=0.7, edgecolors="none")
        axes.set_title(f"{panel.title}: Spearman {panel.said}", fontsize=9)
        axes.set_xlabel(x)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel(y)
    save_figure(figure, target)


def write_lines(lines: Sequence[Line], target: Path, title: str, x: str, y: str) -> None:
    """Draw lines on logarithmic axes, with the diagonal of guessing.

    Args:
        lines: Each in its panel; the same label has the same colour.
        target: A PNG file.
        title: Above the picture.
        x: Below every panel.
        y: On its left.
    """
    names, labels = list(dict.fromkeys(line.panel for line in lines)), list(dict.fromkeys(line.label for line in lines))
    figure = figure_of((5 * len(names), 4.4), title)
    shares = [share for line in lines for point in line.points for share in point if share > 0]
    least = min(shares, default=0.1)
    for axes, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
        for line in (line for line in lines if line.panel == name):
            shown = [(one, other) for one, other in line.points if other > 0]
            axes.plot(*zip(*shown, strict=True), marker="o", markersize=4, color=f"C{labels.index(line.label)}", label=line.label)
        axes.plot([least, 1], [least, 1], color="0.6", linestyle="--", label="guessing")
        axes.set(xscale="log", yscale="log", xlim=(least, 1), ylim=(least, 1.05), xlabel=x)
        axes.set_title(name, fontsize=9)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel(y)
    figure.axes[-1].legend(fontsize=8, loc="lower right")
    save_figure(figure, target)
