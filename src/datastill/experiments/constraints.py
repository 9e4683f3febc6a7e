"""Experiments on the two constraints over several data sets: how class centralization is set, and what the constraints give.

Photographs are ``folder:photos@64``: five photographs that scikit-image and scikit-learn
bring, one class each, cut into patches by
``python -m benchmarks.photographs photos``.
"""

from __future__ import annotations

from datastill.engine.policy import Policy
from datastill.experiments.specification import Block, Experiment, Row

EXACT = Policy("fp32", False)
COMPILED = Policy(compile=True)
"""In bf16 where a processor has it; every table keeps the precision of its first records."""
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
"""What class centralization is set to: weights, a flatter hinge that pulls as hard at the start as weight .0006, and a radius that is
left alone, of half the root mean squared distance of real images from their centre."""


def choosing(title: str, *blocks: Block, policy: Policy, rows: tuple[Row, ...] = CHOICES, preset: str = "paper") -> Experiment:
    """How class centralization is set, on the validation split of one data set."""
    return Experiment(
        title=f"Choosing how class centralization is set: {title}",
        blocks=blocks,
        rows=rows,
        preset=preset,
        split="validation",
        policy=policy,
        remark="Budgets are small: only differences of a point and more count. The defaults were chosen by all data sets together.",
    )


WEIGHTS = (Row("dm"), *(_centralization(weight) for weight in (0.0002, 0.0006, 0.002)))
"""The curve of the weight alone."""

BALANCES = (
    Row("dm"),
    *(Row("dm+iid", label=f"balance{most:g}", settings=(f"balance={most:g}",)) for most in (0.1, 0.3, 1, 3)),
    Row("dm+iid", label="unbounded", settings=("balance=0",)),
)
"""How much longer than the method's own gradient those of the constraints may be."""

SEEDS = (0, 1, 2)
FEW_REAL = ("real_batch=32",)

CHOOSING = {
    "centralization-digits": choosing(
        "digits",
        Block("digits", (5,), 60, seeds=SEEDS, repeats=2, epochs=200),
        policy=EXACT,
        rows=(*CHOICES, _teacher(1), _teacher(8)),
    ),
    "centralization-cifar10": choosing("CIFAR-10", Block("cifar10", (5,), 60, repeats=3, epochs=150), policy=COMPILED, preset="fast"),
    "centralization-cifar100": choosing(
        "twenty classes of CIFAR-100",
        Block("cifar100[0-19]", (5,), 25, repeats=2, epochs=150),
        policy=COMPILED,
        preset="fast",
    ),
    "centralization-photographs": choosing(
        "photographs at 64x64",
        Block(PHOTOGRAPHS, (5,), 25, settings=FEW_REAL, repeats=2, epochs=60, label="photographs"),
        policy=COMPILED,
        rows=(*CHOICES, _teacher(1), _teacher(8)),
    ),
    "centralization-weights-digits": choosing(
        "its weight by IPC on digits",
        Block("digits", (2, 10), 40, seeds=SEEDS, repeats=1, epochs=150),
        Block("digits", (50,), 25, repeats=1, epochs=60),
        policy=EXACT,
        rows=WEIGHTS,
    ),
    "centralization-weights-cifar10": choosing(
        "its weight by IPC on CIFAR-10",
        Block("cifar10", (2, 10), 30, repeats=2, epochs=100),
        policy=COMPILED,
        rows=WEIGHTS,
        preset="fast",
    ),
    "centralization-weights-cifar100": choosing(
        "its weight on twenty classes of CIFAR-100",
        Block("cifar100[0-19]", (2,), 25, repeats=2, epochs=150),
        policy=COMPILED,
        rows=WEIGHTS,
        preset="fast",
    ),
    "centralization-weights-photographs": choosing(
        "its weight by IPC on photographs at 64x64",
        Block(PHOTOGRAPHS, (2, 10), 25, settings=FEW_REAL, repeats=2, epochs=60, label="photographs"),
        policy=COMPILED,
        rows=WEIGHTS,
    ),
}
"""The forms and the teacher at IPC 5, and the weight at other IPCs; one experiment a data set."""

BALANCING = {
    "balance-digits": choosing(
        "the bound of its pull on digits",
        Block("digits", (2, 5), 40, seeds=SEEDS, repeats=1, epochs=150),
        policy=EXACT,
        rows=BALANCES,
    ),
    "balance-cifar10": choosing(
        "the bound of its pull on CIFAR-10",
        Block("cifar10", (2,), 30, repeats=3, epochs=100),
        policy=COMPILED,
        rows=BALANCES,
        preset="fast",
    ),
    "balance-cifar100": choosing(
        "the bound of its pull on twenty classes of CIFAR-100",
        Block("cifar100[0-19]", (2,), 25, repeats=2, epochs=150),
        policy=COMPILED,
        rows=BALANCES,
        preset="fast",
    ),
    "balance-photographs": choosing(
        "the bound of its pull on photographs at 64x64",
        Block(PHOTOGRAPHS, (2,), 40, seeds=SEEDS, settings=FEW_REAL, repeats=3, epochs=150, label="photographs"),
        policy=COMPILED,
        rows=BALANCES,
        preset="fast",
    ),
}
"""How far the constraints may go beyond the method's own gradient, where few images make networks disagree most."""

TEACHERS = {
    "teachers-digits": Experiment(
        title="Choosing the network that class centralization reads on small images: digits",
        blocks=(Block("digits", (2, 5), 40, seeds=(0, 1, 2), settings=("real_batch=64",), repeats=2, epochs=150),),
        rows=(
            Row("dm"),
            Row("dm+cc", label="resnet18", settings=("pretrained.network=resnet18",)),
            Row("dm+cc", label="convnet", settings=("pretrained.network=convnet",)),
            Row("dm+cc", label="convnet-8-epochs", settings=("pretrained.network=convnet", "pretrained.recipe.epochs=8")),
        ),
        split="validation",
        policy=EXACT,
        remark="Budgets are small: only differences of a point and more count.",
    ),
}
"""Which network class centralization reads."""

RANDOM = Row("random", inherits=False, iterations=0)
ROWS = (RANDOM, *(Row(method) for method in ("dm", "dm+cc", "dm+cm", "dm+iid")))
BEFORE = Row("dm+iid", label="dm+iid-squared", settings=("cc.form=squared", "cc.weight=0.1", "balance=0"))
"""The preset fast as it was before distances were measured in units of the real spread."""

FLAT = Row("dm+iid", label="dm+iid-flat", settings=("cc.alpha=0.3", "cc.weight=0.004"))
"""A hinge that pulls as hard at the start as the default, and longer as images come together."""


def giving(title: str, *blocks: Block, policy: Policy, rows: tuple[Row, ...] = ROWS, preset: str = "paper") -> Experiment:
    """What the constraints give on one data set, at budgets equal within a block."""
    return Experiment(
        title=f"What the constraints give at equal budgets: {title}",
        blocks=blocks,
        rows=rows,
        preset=preset,
        policy=policy,
        remark="Budgets are small and equal within a block, and no value was chosen on this split.",
    )


OTHER_METHODS = (RANDOM, *(Row(method) for method in ("idm", "idm+iid", "m3d", "m3d+iid")))
GIVING = {
    "constraints-digits": giving("digits", Block("digits", (2, 5, 10, 50), 40, seeds=SEEDS, repeats=1, epochs=150), policy=EXACT),
    "constraints-cifar10": giving(
        "CIFAR-10",
        Block("cifar10", (2, 5), 40, repeats=2, epochs=100),
        Block("cifar10", (10,), 40, repeats=3, epochs=100),
        policy=COMPILED,
        preset="fast",
    ),
    "constraints-cifar100": giving(
        "twenty classes of CIFAR-100", Block("cifar100[0-19]", (2, 5, 10), 25, repeats=2, epochs=150), policy=COMPILED, preset="fast"
    ),
    "constraints-photographs": giving(
        "photographs at 64x64",
        Block(PHOTOGRAPHS, (2,), 40, seeds=SEEDS, settings=FEW_REAL, repeats=4, epochs=200, label="photographs"),
        Block(PHOTOGRAPHS, (5, 10), 25, seeds=SEEDS, settings=FEW_REAL, repeats=1, epochs=120, label="photographs"),
        policy=COMPILED,
        preset="fast",
    ),
    "constraints-photographs-seeds": giving(
        "photographs at 64x64, two images a class, six further sets",
        Block(PHOTOGRAPHS, (2,), 40, seeds=tuple(range(3, 9)), settings=FEW_REAL, repeats=4, epochs=200, label="photographs"),
        policy=COMPILED,
        rows=(Row("dm"), Row("dm+iid")),
        preset="fast",
    ),
    "constraints-cifar10-before": giving(
        "CIFAR-10, against the squared form",
        Block("cifar10", (10,), 40, repeats=3, epochs=100),
        policy=COMPILED,
        rows=(BEFORE, FLAT),
        preset="fast",
    ),
    "constraints-idm-m3d-digits": giving(
        "IDM and M3D on digits",
        Block("digits", (5,), 60, seeds=SEEDS, repeats=1, epochs=200),
        policy=EXACT,
        rows=OTHER_METHODS,
        preset="fast",
    ),
    "constraints-idm-m3d-cifar10": giving(
        "IDM and M3D on CIFAR-10",
        Block("cifar10", (2,), 20, repeats=2, epochs=60),
        policy=COMPILED,
        rows=OTHER_METHODS,
        preset="fast",
    ),
}
"""One experiment a data set, and two for other methods."""
