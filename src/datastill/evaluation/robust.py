"""How much of a set's accuracy stands on soft labels and on augmentation: the robust scores of DD-Ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datastill.configuration import words
from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine, Runner
from datastill.errors import UserError
from datastill.evaluation.evaluate import evaluate, followed, resolve
from datastill.evaluation.protocol import Protocol
from datastill.evaluation.score import Evaluation, Score
from datastill.evaluation.scorer import confusion_matrix, training_cost
from datastill.functional import augmentation_robustness, label_robustness
from datastill.labels import HARD
from datastill.networks import build
from datastill.teachers import pretrain
from datastill.teachers.recipe import TrainingRecipe

RECIPE = TrainingRecipe(epochs=10)
"""How networks are trained on all real images, where nothing else is said."""


@dataclass(frozen=True)
class Robustness:
    """What the two robust scores of a set are made of. Accuracies are in percent, the scores fractions in [0, 1].

    Attributes:
        evaluation: Of the set and of a random real subset, under the protocol.
        hard: Networks trained on the set with hard labels under the protocol; the set's own score if its labels are hard.
        plain: The evaluation without augmentation.
        real: A network trained on all real images, or the accuracy that was given for such ones.
    """

    evaluation: Evaluation
    hard: Score
    plain: Evaluation
    real: Score | float

    @property
    def real_accuracy(self) -> float:
        """On all real images, in percent."""
        return self.real.mean if isinstance(self.real, Score) else self.real

    @property
    def label_robust(self) -> float:
        """See `datastill.functional.label_robustness`."""
        synthetic, random = self.evaluation.score.mean, self.evaluation.comparisons["random"].mean
        return label_robustness(synthetic=synthetic / 100, hard=self.hard.mean / 100, random=random / 100, real=self.real_accuracy / 100)

    @property
    def augmentation_robust(self) -> float:
        """See `datastill.functional.augmentation_robustness`."""
        return augmentation_robustness(
            synthetic=self.evaluation.score.mean / 100,
            random=self.evaluation.comparisons["random"].mean / 100,
            synthetic_plain=self.plain.score.mean / 100,
            random_plain=self.plain.comparisons["random"].mean / 100,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "label_robust": self.label_robust,
            "augmentation_robust": self.augmentation_robust,
            "hard_labels": self.hard.describe(),
            "without_augmentation": self.plain.score.describe(),
            "random_without_augmentation": self.plain.comparisons["random"].describe(),
            "real": self.real.describe() if isinstance(self.real, Score) else {"accuracy": self.real},
        }


def robustness(
    distilled: DistilledSet | Path | str,
    *,
    repeats: int = 5,
    seed: int = 0,
    split: str = "test",
    data: DataSet | str | Any | None = None,
    compare: Sequence[str] = (),
    protocol: Protocol | str | None = None,
    engine: Engine | None = None,
    keep: Path | str | None = None,
    real: float | None = None,
    recipe: TrainingRecipe = RECIPE,
) -> Robustness:
    """Evaluate a set with its own and with hard labels, with and without augmentation, each beside a random real subset.

    Args:
        distilled: As in `datastill.evaluate`.
        repeats: Networks of each kind.
        seed: The same seed gives the same numbers.
        split: "test" to report, "validation" to choose.
        data: What to test on.
        compare: What to compare with under the protocol, beside the random subset.
        protocol: How to train, or its name; it must have augmentation.
        engine: How to run.
        keep: A file that keeps the result of every network.
        real: Accuracy in percent of networks trained on all real images under a protocol of your own; None to train one here, which is kept
            in the cache.
        recipe: How that one is trained.

    Raises:
        UserError: If the protocol has no augmentation, `real` is no percentage, or as in `datastill.evaluate`.

    Reference:
        DD-Ranking, arXiv:2505.13300. There, sets with hard labels take the epochs and the rate of the random baseline that are best on the
        test split, and gains are percentage points; here the protocol is the same for all networks, and gains are fractions.
    """
    protocol = Protocol.given(protocol)
    if not protocol.augment:
        raise UserError("robust scores compare networks with and without augmentation: the protocol must have it, as 'dc' and 'idc' do")
    if real is not None and not 0 <= real <= 100:
        raise UserError(f"the accuracy on all real images must be a percentage from 0 to 100, got {real:g}")
    distilled, data = resolve(distilled, data)
    protocol = followed(protocol, distilled)
    engine = (engine or Engine.choose()).suited(training_cost(data, protocol, len(distilled)))  # one for all that is compared

    def evaluated(content: DistilledSet, way: Protocol, *compare: str) -> Evaluation:
        return evaluate(
            content, repeats=repeats, seed=seed, split=split, data=data, compare=compare, protocol=way, engine=engine, keep=keep
        )

    found = evaluated(distilled, protocol, *dict.fromkeys((*words("compare", compare), "random")))
    hard = found.score
    if distilled.label_kind != HARD:
        hard = evaluated(replace(distilled, labels=distilled.made_of, label_kind=HARD), protocol).score
    plain = evaluated(distilled, replace(protocol, augment=False), "random")
    return Robustness(found, hard, plain, _real(data, protocol.network, split, recipe, engine) if real is None else real)


def _real(data: DataSet, network: str, split: str, recipe: TrainingRecipe, engine: Engine) -> Score:
    """A network trained on all real images, tested on a split."""
    pool = pretrain(data, network, 1, recipe, engine)
    model = engine.place(build(network, channels=data.channels, classes=data.classes, size=data.size))
    runner, examined = Runner(engine, model, ("logits",)), data.split(split)
    model.take(pool[0].weights)
    confusion = confusion_matrix(runner, examined, data)
    return Score((100 * int(confusion.diag().sum()) / len(examined),), confusion)
