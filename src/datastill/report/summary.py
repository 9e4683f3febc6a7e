"""A run or a distilled set on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datastill.configuration import whole
from datastill.distilled import FOREIGN_FILES, DistilledSet
from datastill.distilled.fetching import is_of_hub
from datastill.distilled.picture import write_grid
from datastill.errors import UserError
from datastill.files import check_file, through_links
from datastill.labels import HARD, KINDS
from datastill.report.beside import IMAGES, write_beside
from datastill.report.terminal import say_line
from datastill.runs import Run
from datastill.runs.timing import run_seconds_per_step
from datastill.text import counted

MOST_CLASSES = 20
"""Classes above which their names are left out."""


def show(
    path: Path,
    out: Path | None,
    columns: int,
    distilled: DistilledSet | None = None,
    *,
    beside: Sequence[str] = (),
    evaluation: Path | None = None,
) -> None:
    """Print what a run or a set is and draw its images.

    Args:
        path: A run's folder, a distilled folder or its file.
        out: The picture; None is ``grid.png`` in the set's folder, or ``beside.png`` where it is shown beside others.
        columns: Images of a class in the picture.
        distilled: The set, if it has been read already.
        beside: What the picture shows it beside, of `datastill.report.beside.BESIDE`.
        evaluation: As in `write_beside`.
    """
    columns = whole("columns", columns, least=1)
    if out is not None:
        check_file(out)
    distilled = distilled or DistilledSet.load(path)
    if is_of_hub(path) and out is None:
        raise UserError(f"{path} has no folder here to draw it in: name a file for the picture with `out`")
    folder = path.parent if path.is_file() else path / "distilled" if (path / "distilled").is_dir() else path
    name = "beside.png" if beside or evaluation else "grid.png"
    target = through_links(out) if out else folder / (f"{path.stem}.png" if path.suffix in FOREIGN_FILES and path.is_file() else name)
    if beside or evaluation:
        write_beside(path, distilled, beside, target, images=min(columns, IMAGES), evaluation=evaluation)
    else:
        write_grid(distilled, target, columns=columns)
    for label, value in [*_set(distilled), *_run(path), ("picture", str(out or target))]:
        say_line(f"{label:<12}{value}")


def _set(distilled: DistilledSet) -> list[tuple[str, str]]:
    origin, images = distilled.origin, distilled.images
    height, width = images.shape[2:]
    counts = distilled.made_of.bincount(minlength=len(origin.class_names)).tolist()
    even = min(counts) == max(counts)
    share = f"{counts[0]} per class" if even else f"{min(counts)} to {max(counts)} per class"
    parts = origin.factor**2
    expanded = [("parts", f"each image is a grid of {parts}, which are enlarged to {len(distilled)} images in training")]
    taken = counted(origin.iterations, "iteration")
    lines = [
        ("images", f"{len(images)} of {width}x{height} pixels, {counted(images.shape[1], 'channel')}, {len(counts)} classes, {share}"),
        ("data", f"{origin.data} (fingerprint {origin.fingerprint})"),
        ("method", f"{origin.method}, {taken}, seed {origin.seed}, datastill {origin.version}"),
        (
            "values",
            f"{images.min():.2f} to {images.max():.2f}, normalised; {100 * distilled.clipped:.0f}% of them lie outside what 8 bits hold",
        ),
    ]
    if distilled.track != HARD:
        lines.append(("labels", f"soft: {distilled.label_kind}, {KINDS[distilled.label_kind]}; classes are those with the largest value"))
    if distilled.numbers:
        lines.append(("learned", ", ".join(f"{name} {value:.6g}" for name, value in sorted(distilled.numbers.items()))))
    if parts > 1:
        lines[1:1] = expanded
    if len(counts) <= MOST_CLASSES:
        names = origin.class_names if even else [f"{name} ({count})" for name, count in zip(origin.class_names, counts, strict=True)]
        lines.append(("classes", ", ".join(names)))
    return lines


def _run(path: Path) -> list[tuple[str, str]]:
    run = Run(path)
    config = run.config() if path.is_dir() else None
    if config is None:
        return []
    lines = []
    method = config.get("method")
    terms = method.get("terms") if isinstance(method, dict) else None
    if isinstance(terms, dict):
        lines.append(("terms", "; ".join(f"{name} {_values(term)}" for name, term in terms.items())))
    metrics = run.metrics()
    steps = [entry for entry in metrics if {"loss", "seconds"} <= set(entry)]
    if steps and (seconds := run_seconds_per_step(run)) is not None:
        lines.append(("loss", f"{steps[0]['loss']:.4g} at first, {steps[-1]['loss']:.4g} at last; median {seconds:.3g} s per step"))
    points = [f"{entry['validation_accuracy']:.2f}% after {entry['iteration']}" for entry in metrics if "validation_accuracy" in entry]
    if points:
        lines.append(("validation", ", ".join(points)))
    return lines


def _values(term: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in term.items() if key != "class")
