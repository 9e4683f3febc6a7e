"""An evaluation on the terminal."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from datastill.evaluate import COMPARISONS, Evaluation, Score

MOST_CLASSES = 20
"""Classes above which the confusion matrix and the classes' accuracies stay in the JSON."""


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the scores, the accuracy of every class and, for few classes, the confusion matrix."""
    console = Console()
    protocol = evaluation.protocol
    title = f"{evaluation.data}, {evaluation.split} split: {len(evaluation.score.accuracies)} x {protocol.network}, {protocol.passes} epochs"
    table = Table("trained on", "accuracy %", "std", "95% interval", title=title)
    table.add_row("the distilled set", *_cells(evaluation.score))
    for name, score in evaluation.comparisons.items():
        table.add_row(COMPARISONS[name], *_cells(score))
    console.print(table)
    if len(evaluation.class_names) > MOST_CLASSES:
        console.print("per-class accuracy and confusion matrix: --json")
        return
    confusion = Table("true \\ predicted, %", *(name[:6] for name in evaluation.class_names), title="confusion, diagonal = accuracy per class")
    for name, row in zip(evaluation.class_names, evaluation.score.confusion.double(), strict=True):
        share = 100 * row / row.sum().clamp(min=1)
        confusion.add_row(name, *(f"{value:.0f}" if value >= 0.5 else "." for value in share.tolist()))
    console.print(confusion)


def _cells(score: Score) -> tuple[str, str, str]:
    interval = score.interval
    bounds = "-" if math.isnan(interval) else f"{score.mean - interval:.2f} to {score.mean + interval:.2f}"
    return f"{score.mean:.2f}", f"{score.std:.2f}", bounds
