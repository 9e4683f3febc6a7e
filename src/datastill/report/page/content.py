"""What the template of a page of runs is filled with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datastill.report.page.images import address
from datastill.report.page.insight import Insight
from datastill.report.page.model import Scores, Subject
from datastill.runs.previews import preview_rows, read_previews
from datastill.text import counted

IMAGE_BYTES = 2_000_000
"""What the images of all galleries of a page take at most; with the charts and previews a page stays under 3 MB."""
PREVIEW_BYTES = 300_000
"""What the previews of all runs of a page take at most."""
CURVE = 300
"""Points of a curve at most."""
SHOWN = 56
"""Pixels that an image is enlarged to at first, about."""
TABULATED = 20
"""Classes at most of which the whole confusion matrix is shown."""
MOST_CLASSES = 100
"""Classes at most whose images are shown, the first ones."""


@dataclass(frozen=True)
class Tile:
    """An image of a gallery."""

    number: int
    address: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """The images of a class."""

    label: int
    name: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Run:
    """A run as the template shows it.

    Attributes:
        key: What its elements are called.
        subject: What was read of it.
        rows: Its gallery.
        width: Of its images in pixels.
        height: The same.
        zoom: What they are enlarged by at first.
        frames: Its previews by iteration: addresses.
        looked: What looked at the images, in words; "" for nothing.
        notes: What is missing, and why.
    """

    key: str
    subject: Subject
    rows: tuple[Row, ...]
    width: int
    height: int
    zoom: int
    frames: Mapping[int, tuple[str, ...]]
    looked: str
    notes: tuple[str, ...]

    @property
    def headline(self) -> Scores | None:
        """The main evaluation."""
        return next(iter(self.subject.scores), None)


@dataclass(frozen=True)
class Setting:
    """A setting with its value in every run."""

    path: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs have different values."""
        return len(set(self.values)) > 1


def settings(subjects: Sequence[Subject]) -> list[Setting]:
    """Every setting of some run, those that differ first."""
    paths = dict.fromkeys(path for subject in subjects for path in subject.config)
    found = [Setting(path, tuple(_shown(subject.config, path) for subject in subjects)) for path in paths]
    return sorted(found, key=lambda each: not each.differs)


def _shown(config: Mapping[str, Any], path: str) -> str:
    value = config.get(path, "")
    if path.rpartition(".")[2] == "class":
        return str(value).rpartition(".")[2]
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)


def run_of(key: str, subject: Subject, insight: Insight | None, why: str, runs: int) -> tuple[Run, dict[str, Any]]:
    """What is shown of a run, and what its charts are drawn from.

    Args:
        key: What its elements are called.
        subject: What was read of it.
        insight: What a network says of its images; None for nothing.
        why: Why not.
        runs: How many runs the page has, which share the room for images.
    """
    notes = list(subject.notes)
    rows: list[Row] = []
    frames: dict[int, tuple[str, ...]] = {}
    zoom = width = height = 1
    distilled = subject.distilled
    if distilled is not None:
        height, width = distilled.images.shape[2:]
        zoom = max(1, round(SHOWN / max(height, width)))
        rows, left_out = _gallery(subject, insight, IMAGE_BYTES // runs)
        frames = _frames(subject, PREVIEW_BYTES // runs)
        notes += [left_out] if left_out else []
        if insight is None:
            notes.append(f"Scores, nearest real images and the map are not shown: {why}.")
        if not frames and subject.folder is not None:
            notes.append("The run kept no previews: it was made by an earlier version.")
    run = Run(key, subject, tuple(rows), width, height, zoom, frames, insight.network if insight else "", tuple(notes))
    return run, {"name": subject.name, "curves": _curves(subject), "frames": frames, "map": _map(subject, insight)}


def _gallery(subject: Subject, insight: Insight | None, most: int) -> tuple[list[Row], str]:
    """The images by class, and a note where not all of them fit."""
    distilled = subject.distilled
    if distilled is None:
        return [], ""
    names, every = distilled.origin.class_names, distilled.rows_by_class()
    addresses = [address(pixels, exact=True) for pixels in distilled.pixels]
    real = [address(pixels, exact=False) for pixels in insight.nearest] if insight else [""] * len(addresses)
    sizes = [len(one) + len(other) for one, other in zip(addresses, real, strict=True)]
    each = max(map(len, every))
    while each > 1 and sum(sizes[row] for rows in every[:MOST_CLASSES] for row in rows[:each]) > most:
        each -= 1
    rows = []
    for label, of_class in enumerate(every[:MOST_CLASSES]):
        tiles = [Tile(row, addresses[row], _details(row, names, insight, real[row])) for row in of_class[:each]]
        rows.append(Row(label, names[label], tuple(tiles)))
    shown = sum(len(row.tiles) for row in rows)
    whole = len(addresses)
    return rows, f"{shown} of {whole} images are shown, to keep the page small." if shown < whole else ""


def _details(row: int, names: Sequence[str], insight: Insight | None, real: str) -> dict[str, Any]:
    if insight is None:
        return {}
    return {
        "score": round(100 * float(insight.score[row]), 1),
        "seen": names[int(insight.predicted[row])],
        "real": real,
        "realClass": names[int(insight.nearest_label[row])],
        "distance": round(float(insight.distance[row]), 2),
    }


def _frames(subject: Subject, most: int) -> dict[int, tuple[str, ...]]:
    """Previews and the end, the first images of every class, as many as fit."""
    distilled = subject.distilled
    if distilled is None or subject.folder is None:
        return {}
    found = {iteration: tensors["images"] for iteration, tensors in read_previews(subject.folder).items()}
    found = {iteration: images for iteration, images in found.items() if iteration <= distilled.origin.iterations}
    if not found:
        return {}
    rows = preview_rows(distilled.made_of, len(distilled.origin.class_names))
    found[distilled.origin.iterations] = distilled.pixels[rows]
    frames = {iteration: tuple(address(pixels, exact=False) for pixels in images) for iteration, images in sorted(found.items())}
    size = sum(len(text) for frame in frames.values() for text in frame)
    step = -(-size // most)  # every second, every third ...
    return {iteration: frame[::step] for iteration, frame in frames.items()}


def _curves(subject: Subject) -> dict[str, list[tuple[int, float]]]:
    """Every figure of the metrics over iterations, the accuracies first, thinned out."""
    series: dict[str, list[tuple[int, float]]] = {}
    for entry in subject.metrics:
        for name, value in entry.items():
            if name not in ("iteration", "seconds", "labels") and isinstance(value, int | float) and abs(value) < 1e30:
                series.setdefault(name, []).append((int(entry["iteration"]), float(f"{value:.5g}")))
    ordered = sorted(series, key=lambda name: (name != "validation_accuracy", name != "loss"))
    return {name: _thinned(series[name]) for name in ordered}


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    step = -(-len(points) // CURVE)
    kept = points[::step]
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


def _map(subject: Subject, insight: Insight | None) -> dict[str, Any] | None:
    if insight is None or subject.distilled is None:
        return None

    def plain(points: Any) -> list[list[float]]:
        return [[round(value, 3) for value in point] for point in points.tolist()]

    return {
        "data": [subject.distilled.origin.fingerprint, insight.network],
        "classes": list(subject.distilled.origin.class_names),
        "real": plain(insight.real_points),
        "realLabels": insight.real_labels.tolist(),
        "points": plain(insight.points),
        "labels": subject.distilled.made_of.tolist(),
        "explained": [round(100 * share, 1) for share in insight.explained],
    }


def summary(runs: Sequence[Run]) -> str:
    """A page's runs in a few words."""
    return f"{counted(len(runs), 'run')}: {', '.join(run.subject.name for run in runs)}"
