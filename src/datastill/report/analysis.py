"""An analysis of sets, on the terminal, as JSON and as a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from datastill.analysis import Analysis
from datastill.errors import UserError
from datastill.files import write_atomic
from datastill.report.curve import figure_of, save_figure
from datastill.report.terminal import say_line

NAMED = 20
"""The most classes that a legend names."""
FORMATS = (".json", ".png")


def check_target(target: Path) -> None:
    """Refuse a file of another format.

    Raises:
        UserError: If its ending is none of `FORMATS`.
    """
    if target.suffix not in FORMATS:
        raise UserError(f"an analysis is written to a file that ends in {' or '.join(FORMATS)}, got {target}")


def print_analyses(found: Sequence[tuple[str, Analysis]]) -> None:
    """Print the numbers of every set, a line each."""
    for name, analysis in found:
        say_line(f"{name}: {len(analysis.synthetic_labels)} images in {analysis.network} ({analysis.accuracy:.2f}% held out)")
        real, own = analysis.real, analysis.synthetic
        say_line(f"  scatter within classes {own.within:.4g} (real {real.within:.4g}), between {own.between:.4g} (real {real.between:.4g})")
        covariances = analysis.covariance_distance
        said = "none, as a class has a single image" if covariances is None else f"{covariances:.4g}"
        say_line(f"  distance from real images: means {analysis.mean_distance:.4g}, covariances {said}")


def write_analyses(found: Sequence[tuple[str, Analysis]], target: Path) -> None:
    """Write the numbers as JSON, or the picture as PNG, by the ending of the file."""
    check_target(target)
    if target.suffix == ".png":
        write_planes(found, target, "Real and synthetic images, t-SNE")
        return
    entries = [
        {"name": name, "network": one.network, "accuracy": one.accuracy, "images": len(one.synthetic_labels), **one.numbers()}
        for name, one in found
    ]
    write_atomic(target, json.dumps(entries, indent=1, ensure_ascii=False) + "\n")


def write_planes(found: Sequence[tuple[str, Analysis]], target: Path, title: str) -> None:
    """Draw real images pale and synthetic ones as stars, a panel for each set, a colour for each class.

    Args:
        found: Names and analyses.
        target: A PNG file.
        title: Above the picture.
    """
    import matplotlib

    columns = min(len(found), 3 if len(found) not in (2, 4) else 2)
    rows = math.ceil(len(found) / columns)
    figure = figure_of((4.2 * columns + 1.1, 4.2 * rows + 0.3), title)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    colours = matplotlib.colormaps["tab10" if len(found[0][1].class_names) <= 10 else "gist_rainbow"]
    for axes, (name, one) in zip(panels, found, strict=False):
        classes = len(one.class_names)
        for label, class_name in enumerate(one.class_names):
            colour = colours(label if classes <= 10 else label / (classes - 1))
            for plane, labels, style in (
                (one.real_plane, one.real_labels, {"s": 9, "alpha": 0.3, "linewidths": 0}),
                (one.synthetic_plane, one.synthetic_labels, {"s": 90, "marker": "*", "edgecolors": "black", "linewidths": 0.6}),
            ):
                points = [point for point, its in zip(plane, labels, strict=True) if its == label]
                starred = "marker" in style
                if points:
                    x, y = zip(*points, strict=True)
                    axes.scatter(x, y, color=[colour], label=class_name if starred else None, zorder=3 if starred else 2, **style)
        axes.set_title(f"{name}: within / between {one.synthetic.ratio:.3f} (real {one.real.ratio:.3f})", fontsize=9)
        axes.set(xticks=[], yticks=[])
    for axes in panels[len(found) :]:
        axes.set_axis_off()
    handles, names = panels[0].get_legend_handles_labels()
    if len(names) <= NAMED:
        figure.legend(handles, names, loc="outside right center", fontsize=8, title="star: synthetic\ndot: real", title_fontsize=8)
    save_figure(figure, target)
