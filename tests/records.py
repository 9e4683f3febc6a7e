"""Records made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datastill.experiments import Cell, Record
from datastill.experiments.record import Found, Maker, Point

MAKER = Maker("fp32", False, "cpu", "A processor", 2, "2.10", ("abc",))
METHOD = {
    "terms": {"mm": {"class": "somewhere.MeanMatching", "weight": 1.0}},
    "encoders": {"matching": {"class": "somewhere.FreshNetwork", "network": "convnet", "every": 1, "most": 0}},
    "learning_rate": 1.0, "momentum": 0.5, "real_batch": 8, "averaging": 0.0, "factor": 1, "views": 1,
}  # fmt: skip


def record(
    cell: Cell | None = None,
    accuracies: Sequence[float] = (40.0, 50.0),
    *,
    curve: Sequence[tuple[int, float]] = (),
    comparisons: Mapping[str, Sequence[float]] | None = None,
    **changes: Any,
) -> Record:
    """A record of two classes."""
    cell = cell or Cell("table/dm", "table/dm", "digits", "dm", 2, 0, 30, repeats=len(accuracies))
    fields: dict[str, Any] = {
        "fingerprint": "0123", "class_names": ("a", "b"), "train": 90, "images": 4, "trained_on": 4, "method": METHOD, "encoders": {},
        "seconds_per_step": 2.0, "teacher_seconds": 0.0, "evaluation_epochs": 1000, "distilled_by": MAKER, "evaluated_by": MAKER,
    }  # fmt: skip
    found = {name: Found(tuple(values), ((1, 2), (3, 4))) for name, values in {"": accuracies, **(comparisons or {})}.items()}
    points = tuple(Point(*point) for point in curve)
    return Record(cell=cell, score=found.pop(""), comparisons=found, curve=points, **{**fields, **changes})
