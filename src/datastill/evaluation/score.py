"""What an evaluation finds: accuracies, their spread, accuracy per class and confusion."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from torch import Tensor

from datastill.configuration import describe
from datastill.data.notebook import table
from datastill.evaluation.protocol import PROTOCOLS, Protocol
from datastill.evaluation.spread import bounds, half_interval, spread
from datastill.labels import HARD, track
from datastill.text import escaped

COMPARISONS: dict[str, str] = {
    "rendering": "the 8-bit rendering of the set",
    "random": "a random real subset of the same size",
}
"""What a set may be compared with."""


@dataclass(frozen=True)
class Score:
    """What networks trained on a set reach.

    Attributes:
        accuracies: Top-1 in percent of every network.
        confusion: ``true predicted``, images summed over the networks.
    """

    accuracies: tuple[float, ...]
    confusion: Tensor = field(repr=False)

    @property
    def mean(self) -> float:
        """Mean top-1 in percent."""
        return fmean(self.accuracies)

    @property
    def std(self) -> float | None:
        """Standard deviation over the networks as the papers give it (divided by n), in points; None for one network."""
        return spread(self.accuracies)

    @property
    def interval(self) -> float | None:
        """Half width of the 95% confidence interval of the mean (Student's t), in points; None for fewer than three networks."""
        return half_interval(self.accuracies)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The same interval in percent, from 0 to 100; None for fewer than three networks."""
        return bounds(self.accuracies)

    @property
    def per_class(self) -> tuple[float, ...]:
        """Accuracy of every class in percent; NaN for a class without images."""
        hits = self.confusion.diag().double()
        return tuple((100 * hits / self.confusion.sum(1)).tolist())

    def __repr__(self) -> str:
        spread = "" if self.std is None else f" +- {self.std:.2f}"
        return f"<{self.mean:.2f}{spread} % top-1, n = {len(self.accuracies)}>"

    def describe(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "accuracy": self.mean,
            "std": self.std,
            "interval95": self.interval,
            "n": len(self.accuracies),
            "accuracies": list(self.accuracies),
            "per_class": [None if math.isnan(value) else value for value in self.per_class],
            "confusion": self.confusion.tolist(),
        }


@dataclass(frozen=True)
class Evaluation:
    """The score of a distilled set, and of what it is compared with.

    Attributes:
        score: Of the float images.
        comparisons: Scores by the names of `datastill.evaluation.COMPARISONS`.
        protocol: How the networks were trained.
        split: What they were tested on.
        seed: Network i has weights and augmentation from (seed, i).
        data: The data set's name.
        class_names: One per class.
        fingerprint: Of the training split that the set was distilled from.
        engine: What the networks were trained on, and in which precision.
        images: Images that are stored.
        trained_on: Images that the networks were trained on, the parts of stored images counted; 0 if it was not recorded.
        label_kind: What the set's labels are, one of `datastill.labels.KINDS`.
        learned_rate: The learned learning rate that the networks of the set and its rendering were trained with; None for the
            protocol's, as those of the random subset always were.
        made: How the set was made: method, iterations and seed, where its header says so.
    """

    score: Score
    comparisons: dict[str, Score]
    protocol: Protocol
    split: str
    seed: int
    data: str
    class_names: tuple[str, ...]
    fingerprint: str = ""
    engine: dict[str, str | bool | int | None] = field(default_factory=dict)
    images: int = 0
    trained_on: int = 0
    label_kind: str = HARD
    learned_rate: float | None = None
    made: dict[str, str | int] = field(default_factory=dict)

    @property
    def track(self) -> str:
        """Whether the set's labels are "hard" or "soft"."""
        return track(self.label_kind)

    def __repr__(self) -> str:
        compared = "".join(f"; {name} {repr(score)[1:-1]}" for name, score in self.comparisons.items())
        return f"<{self._title}: {repr(self.score)[1:-1]}{compared}>"

    def _repr_html_(self) -> str:
        """A table of the scores."""
        scores = {"the distilled set": self.score, **{self.compared_with(name): score for name, score in self.comparisons.items()}}
        rows = [
            [name, f"{score.mean:.2f}", "" if score.std is None else f"{score.std:.2f}", str(len(score.accuracies))]
            for name, score in scores.items()
        ]
        return table(self._title, ["trained on", "accuracy %", "std", "n"], rows)

    @property
    def _title(self) -> str:
        return (
            f"{self.images} images, {self.track} labels, tested on {escaped(self.data)}, {self.split} split, with {self.protocol.network}"
        )

    def labels_of(self, name: str) -> str:
        """Whether the labels of what the set is compared with are "hard" or "soft": real images always have hard ones."""
        return HARD if name == "random" else self.track

    def compared_with(self, name: str) -> str:
        """What a name of `COMPARISONS` stands for here; a real subset has hard labels and the protocol's rate, whatever the set has."""
        if name != "random" or (self.track == HARD and self.learned_rate is None):
            return COMPARISONS[name]
        labels = "" if self.track == HARD else ", hard labels"
        rate = "" if self.learned_rate is None else f", learning rate {self.protocol.learning_rate:.4g}"
        return f"{COMPARISONS[name]}{labels}{rate}"

    @property
    def advice(self) -> str:
        """What to try if the set is no better than a random real subset of its size; empty if it is better or was not compared."""
        random = self.comparisons.get("random")
        if random is None or self.score.mean > random.mean:
            return ""
        mine, others = ("", "") if self.track == HARD else (", with soft labels,", " with hard labels")
        figures = f"{self.score.mean:.2f}% against {random.mean:.2f}%"
        return f"this set{mine} is not better than a random subset of real images{others} ({figures}): try {self._other_ways}"

    @property
    def _other_ways(self) -> str:
        """What may give a better result, but for what this set was made with, and for what its method does not have."""
        made, steps = str(self.made.get("method", "")), self.made.get("iterations")
        candidates = ("idm", "dm") if 0 < self.images <= len(self.class_names) else ("dm+cm", "dm+iid")
        ways = [f"another method (such as {next(name for name in candidates if name != made)})"]
        if steps != 1:  # choosing real images is one step
            ways.append("another number of iterations")
        if "+" in made:
            ways.append("a smaller weight of an added term")
        usual = PROTOCOLS[self.protocol.called].learning_rate
        if self.label_kind == "scores" and self.learned_rate is None and self.protocol.learning_rate >= usual:
            ways.insert(0, f"`--set learning_rate={usual / 10:.4g}` (least squares on scores may need a tenth of the rate)")
        return " or ".join(filter(None, (", ".join(ways[:-1]), ways[-1])))

    def describe(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "data": self.data,
            "fingerprint": self.fingerprint,
            "engine": self.engine,
            "made": self.made,
            "split": self.split,
            "seed": self.seed,
            "protocol": {**describe(self.protocol), "called": self.protocol.called, "epochs": self.protocol.passes},
            "labels": self.track,
            "label_kind": self.label_kind,
            "learning_rate": self.protocol.learning_rate if self.learned_rate is None else self.learned_rate,
            "class_names": list(self.class_names),
            "images": self.images,
            "trained_on": self.trained_on,
            **self.score.describe(),
            "comparisons": {name: {"labels": self.labels_of(name), **score.describe()} for name, score in self.comparisons.items()},
            "advice": self.advice or None,
        }
