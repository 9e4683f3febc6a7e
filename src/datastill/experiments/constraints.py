"""Experiments on the two constraints over several data sets: how class centralization is set, and what the constraints give.

Photographs are ``folder:photos@64``: eight photographs that scikit-image and scikit-learn bring, a class each, cut into patches by
``python -m benchmarks.photographs photos``.
"""

from __future__ import annotations

from datastill.engine.policy import Policy
from datastill.experiments.specification import Block, Experiment, Row

EXACT = Policy("fp32", False)
COMPILED = Policy("bf16", True)
PHOTOGRAPHS = "folder:photos@64"


def _centralization(weight: float, **fields: float) -> Row:
    name = "-".join([f"weight{weight:g}", *(f"{key}{value:g}" for key, value in fields.items())])
    changes = (f"cc.weight={weight:g}", *(f"cc.{key}={value:g}" for key, value in fields.items()))
    return Row("dm+cc", label=name, settings=changes)


def _teacher(epochs: int) -> Row:
    return Row("dm+cc", label=f"teacher-of-{epochs}-epochs", settings=("cc.weight=0.0006", f"pretrained.recipe.epochs={epochs}"))


CHOICES = (
    Row("dm"),
    *(_centralization(weight) for weight in (0.0002, 0.0006, 0.002, 0.006)),
    _centralization(0.004, alpha=0.3),
    _centralization(0.002, beta=1.3),
)
"""What class centralization is set to: weights, a flatter hinge that pulls as hard at the start as weight .0006, and a radius of half the
real spread that is left alone."""


def choosing(title: str, block: Block, policy: Policy, rows: tuple[Row, ...] = CHOICES, preset: str = "paper") -> Experiment:
    """How class centralization is set, on the validation split of one data set."""
    return Experiment(
        title=f"Choosing how class centralization is set: {title}",
        blocks=(block,),
        rows=rows,
        preset=preset,
        split="validation",
        policy=policy,
        remark="Budgets are small, so that only differences of a point and more count; the defaults were chosen by the data sets together.",
    )


CHOOSING = {
    "centralization-digits": choosing(
        "digits", Block("digits", (5,), 60, seeds=(0, 1, 2), repeats=2, epochs=200), EXACT, (*CHOICES, _teacher(1), _teacher(8))
    ),
    "centralization-cifar10": choosing("CIFAR-10", Block("cifar10", (5,), 60, repeats=3, epochs=150), COMPILED, preset="fast"),
    "centralization-photographs": choosing(
        "photographs at 64x64",
        Block(PHOTOGRAPHS, (5,), 40, seeds=(0, 1), settings=("real_batch=32",), repeats=1, epochs=150, label="photographs"),
        EXACT,
    ),
}
"""One experiment a data set."""
