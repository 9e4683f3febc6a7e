"""What a page of runs shows, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from datastill.distilled import DistilledSet
from datastill.evaluation import COMPARISONS, Protocol
from datastill.evaluation.spread import half_interval
from datastill.labels import HARD


@dataclass(frozen=True)
class Bar:
    """What networks trained on something reach.

    Attributes:
        name: What they were trained on.
        mean: Top-1 in percent.
        half: Half the width of the 95% interval; None for one network.
        n: Networks.
    """

    name: str
    mean: float
    half: float | None
    n: int

    @classmethod
    def of(cls, name: str, accuracies: Sequence[float]) -> Bar:
        """From the accuracy of every network."""
        return cls(name, fmean(accuracies), half_interval(accuracies), len(accuracies))

    @property
    def low(self) -> float:
        """Where the interval begins."""
        return max(0.0, self.mean - (self.half or 0))

    @property
    def high(self) -> float:
        """Where it ends."""
        return min(100.0, self.mean + (self.half or 0))


@dataclass(frozen=True)
class Scores:
    """One evaluation of a set.

    Attributes:
        title: Data, split, protocol, network and labels in words.
        bars: Of the set first, then of what it is compared with.
        confusion: ``true predicted``, images summed over the networks of the set; empty where it is not known.
        class_names: One per class.
        notes: What else a reader must know.
    """

    title: str
    bars: tuple[Bar, ...]
    confusion: tuple[tuple[int, ...], ...]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> Bar:
        """The set's own."""
        return self.bars[0]

    @property
    def above_random(self) -> float | None:
        """Points above the random real subset; None where it was not measured, or has labels of another kind."""
        random = next((bar for bar in self.bars if bar.name == COMPARISONS["random"]), None)
        return None if random is None else self.headline.mean - random.mean

    @property
    def shares(self) -> list[list[float]]:
        """The confusion matrix in percent of every true class."""
        return [[100 * count / max(1, sum(row)) for count in row] for row in self.confusion]

    @property
    def mistaken(self) -> list[tuple[str, str, float]]:
        """The twelve most frequent mistakes: true class, predicted class, percent of the true class."""
        names = self.class_names
        found = [
            (names[true], names[other], share)
            for true, row in enumerate(self.shares)
            for other, share in enumerate(row)
            if true != other and share
        ]
        return sorted(found, key=lambda each: -each[2])[:12]


def bars(accuracies: Sequence[float], comparisons: Mapping[str, Sequence[float]], labels: str) -> tuple[Bar, ...]:
    """The bars of a set and of its comparisons.

    Args:
        accuracies: Of the networks that were trained on the set.
        comparisons: Of those that were trained on something else, by the names of `COMPARISONS`.
        labels: "hard" or "soft", of the set.
    """
    names = {name: COMPARISONS.get(name, name) + (", hard labels" if name == "random" and labels != HARD else "") for name in comparisons}
    others = (Bar.of(names[name], comparisons[name]) for name in sorted(comparisons, reverse=True))
    return (Bar.of("this set", accuracies), *others)


def title_of(data: str, split: str, protocol: Protocol, labels: str) -> str:
    """The conditions of an evaluation in words."""
    changes = f", {protocol.changes}" if protocol.changes else ""
    return f"{data}, {split} split, {protocol.title}: {protocol.network}, {protocol.passes} epochs{changes}, {labels} labels"


@dataclass(frozen=True)
class Subject:
    """A run or a record, read.

    Attributes:
        name: What it is called on the page.
        about: A line of words on it.
        folder: Of the run, for its previews and what is kept for pages; None where it is not there.
        distilled: The set; None where it is not kept.
        config: The configuration, empty where it is not known.
        yaml: The text of ``config.yaml``; "" where there is none.
        metrics: Lines of figures with their iterations.
        scores: Evaluations, the main one first.
        commands: What repeats it.
        notes: What is missing, and why.
    """

    name: str
    about: str
    folder: Path | None
    distilled: DistilledSet | None
    config: Mapping[str, Any]
    yaml: str
    metrics: Sequence[Mapping[str, Any]]
    scores: tuple[Scores, ...]
    commands: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())
