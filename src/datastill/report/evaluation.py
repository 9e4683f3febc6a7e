"""An evaluation on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from datastill.evaluation import Evaluation, Score
from datastill.evaluation.robust import Robustness
from datastill.labels import HARD
from datastill.report.terminal import say_line, say_table

MOST_CLASSES = 20
"""Classes above which the confusion matrix and the classes' accuracies stay in the JSON."""
ELSEWHERE = "--json"
TOO_WIDE = f"too wide for this terminal: {ELSEWHERE}"
"""Where they are."""


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the scores, the accuracy of every class and, for few classes, the confusion matrix."""
    protocol = evaluation.protocol
    count = len(evaluation.score.accuracies)
    where = f"{evaluation.data}, {evaluation.split} split, {protocol.title}"
    title = f"{where}: {count} x {protocol.network}, {protocol.passes} epochs{_trained(evaluation)}"
    rows = [("the distilled set", *_cells(evaluation.score))]
    rows += [(evaluation.compared_with(name), *_cells(score)) for name, score in evaluation.comparisons.items()]
    say_table(title, ("trained on", "accuracy %", "std", "95% interval"), rows)
    if evaluation.advice:
        say_line(evaluation.advice)
    if len(evaluation.class_names) > MOST_CLASSES:
        say_line(f"per-class accuracy and confusion matrix: {ELSEWHERE}")
        return
    shares = (100 * row / row.sum().clamp(min=1) for row in evaluation.score.confusion.double())
    confusion = [
        (name, *(f"{value:.0f}" if value >= 0.5 else "." for value in share.tolist()))
        for name, share in zip(evaluation.class_names, shares, strict=True)
    ]
    columns = ("", *(name[:6] for name in evaluation.class_names))
    say_table("confusion, one row per true class, in %", columns, confusion, simple=True, otherwise=TOO_WIDE)


def print_robustness(robustness: Robustness) -> None:
    """Print DD-Ranking's two scores, and the accuracies that they are made of and `print_evaluation` does not show."""
    rows = [
        ("the distilled set, not augmented", *_cells(robustness.plain.score)),
        ("a random real subset, not augmented", *_cells(robustness.plain.comparisons["random"])),
    ]
    if robustness.evaluation.track != HARD:
        rows.append(("the distilled set, hard labels", *_cells(robustness.hard)))
    given = isinstance(robustness.real, float)
    rows.append(("all real images" + (" (given)" if given else ""), f"{robustness.real_accuracy:.2f}", "", ""))
    title = f"robust scores (DD-Ranking): label {robustness.label_robust:.3f}, augmentation {robustness.augmentation_robust:.3f}"
    say_table(title, ("trained on", "accuracy %", "std", "95% interval"), rows)
    say_line("scores are from 0 to 1, and .269 is no gain over real images")


def print_across(found: Mapping[str, Evaluation]) -> None:
    """Print a row for every kind of network: the set's score, and those of what it is compared with."""
    first = next(iter(found.values()))
    count = len(first.score.accuracies)
    where = f"{first.data}, {first.split} split, {first.protocol.title}"
    title = f"{where}: {count} networks of each kind, {first.protocol.passes} epochs{_trained(first)}"
    rows = []
    for name, evaluation in found.items():
        compared = (f"{score.mean:.2f}{_spread(score, ' +- ')}" for score in evaluation.comparisons.values())
        rows.append((name, *_cells(evaluation.score), *compared))
    say_table(title, ("network", "accuracy %", "std", "95% interval", *(_column(name, first) for name in first.comparisons)), rows)
    for name, evaluation in found.items():
        if evaluation.advice:
            say_line(f"{name}: {evaluation.advice}")
    say_line(f"per-class accuracy and confusion matrices: {ELSEWHERE}")


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
    """Mean, standard deviation and interval; one network has only the mean, and two have no interval."""
    between = "" if score.bounds is None else "{:.2f} to {:.2f}".format(*score.bounds)
    return f"{score.mean:.2f}", _spread(score), between


def _spread(score: Score, before: str = "") -> str:
    return "" if score.std is None else f"{before}{score.std:.2f}"
