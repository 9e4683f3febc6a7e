"""An evaluation on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from datastill.evaluation import Evaluation, Score
from datastill.labels import HARD
from datastill.text import printable

MOST_CLASSES = 20
"""Classes above which the confusion matrix and the classes' accuracies stay in the JSON."""


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the scores, the accuracy of every class and, for few classes, the confusion matrix."""
    console = Console()
    protocol = evaluation.protocol
    names = [Text(printable(name)) for name in evaluation.class_names]  # as text, since names may hold what is markup to rich
    count = len(evaluation.score.accuracies)
    title = f"{evaluation.data}, {evaluation.split} split: {count} x {protocol.network}, {protocol.passes} epochs{_trained(evaluation)}"
    table = Table("trained on", "accuracy %", "std", "95% interval", title=Text(printable(title)))
    table.add_row("the distilled set", *_cells(evaluation.score))
    for name, score in evaluation.comparisons.items():
        table.add_row(evaluation.compared_with(name), *_cells(score))
    console.print(table)
    if evaluation.advice:
        console.print(Text(evaluation.advice), soft_wrap=True)
    if len(evaluation.class_names) > MOST_CLASSES:
        console.print("per-class accuracy and confusion matrix: --json")
        return
    columns = [Column(name[:6]) for name in names]
    title = "confusion, one row per true class, in %"
    confusion = Table("", *columns, title=title, box=box.SIMPLE, padding=(0, 1, 0, 0))
    for label, row in zip(names, evaluation.score.confusion.double(), strict=True):
        share = 100 * row / row.sum().clamp(min=1)
        confusion.add_row(label, *(f"{value:.0f}" if value >= 0.5 else "." for value in share.tolist()))
    console.print(confusion)


def print_across(found: Mapping[str, Evaluation]) -> None:
    """Print a row for every kind of network: the set's score, and those of what it is compared with."""
    first = next(iter(found.values()))
    count = len(first.score.accuracies)
    title = f"{first.data}, {first.split} split: {count} networks of each kind, {first.protocol.passes} epochs{_trained(first)}"
    compared_with = [_column(name, first) for name in first.comparisons]
    table = Table("network", "accuracy %", "std", "95% interval", *compared_with, title=Text(printable(title)))
    for name, evaluation in found.items():
        compared = (f"{score.mean:.2f}{_spread(score, ' +- ')}" for score in evaluation.comparisons.values())
        table.add_row(name, *_cells(evaluation.score), *compared)
    console = Console()
    console.print(table)
    for name, evaluation in found.items():
        if evaluation.advice:
            console.print(Text(f"{name}: {evaluation.advice}"), soft_wrap=True)
    console.print("per-class accuracy and confusion matrices: --json")


def _trained(evaluation: Evaluation) -> str:
    """What networks are trained on and how: parts, if a stored image stands for several; the labels; a learned rate."""
    expanded = evaluation.trained_on > evaluation.images
    parts = f", {evaluation.images} images in {evaluation.trained_on} parts" if expanded else ""
    kind = "" if evaluation.track == HARD else f" ({evaluation.label_kind})"
    rate = "" if evaluation.learned_rate is None else f", learned learning rate {evaluation.learned_rate:.4g}"
    return f"{parts}, labels: {evaluation.track}{kind}{rate}"


def _column(name: str, evaluation: Evaluation) -> str:
    labels = evaluation.labels_of(name)
    return name if labels == evaluation.track else f"{name}, {labels} labels"


def _cells(score: Score) -> tuple[str, str, str]:
    """Mean, standard deviation and interval; one network has only the mean."""
    interval = score.interval
    bounds = "" if interval is None else f"{score.mean - interval:.2f} to {score.mean + interval:.2f}"
    return f"{score.mean:.2f}", _spread(score), bounds


def _spread(score: Score, before: str = "") -> str:
    return "" if score.std is None else f"{before}{score.std:.2f}"
