"""Experiments on whether the two constraints help methods of other kinds than the one that they were published for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datastill.engine.policy import Policy
from datastill.experiments.specification import Block, Experiment, Row

ADDED = ("", "+cc", "+cm", "+iid")
TEACHER = "pretrained.network=convnet"

DIGITS_BUDGET = 500e9
"""Floating-point operations of distilling a set of the digits, by the `cost` of a step."""
DIGITS: Mapping[str, tuple[tuple[str, ...], tuple[int, int, int, int]]] = {
    "dm": ((), (151, 142, 151, 142)),
    "dsa": (("learning_rate=1",), (48, 47, 47, 47)),
    "mtt": (("inner=10",), (39, 39, 31, 31)),
}
"""By method: changes to the preset, and the steps that the budget pays for with each of `ADDED`."""

CIFAR10_BUDGET = 5e12
"""The same for CIFAR-10."""
CIFAR10: Mapping[str, tuple[tuple[str, ...], tuple[int, int, int, int]]] = {
    "dm": ((), (95, 68, 95, 68)),
    "dsa": (("learning_rate=1", "epochs=2"), (20, 18, 18, 17)),
    "mtt": (
        ("inner=10", "batch=20", "experts=2", "latest_start=2", "expert_epochs=1", "start_rate=0.01"),
        (19, 18, 16, 15),
    ),
}


def _rows(methods: Mapping[str, tuple[tuple[str, ...], tuple[int, int, int, int]]], teacher: Sequence[str]) -> tuple[Row, ...]:
    return tuple(
        Row(base + added, settings=(*settings, *(teacher if added in ("+cc", "+iid") else ())), iterations=iterations)
        for base, (settings, steps) in methods.items()
        for added, iterations in zip(ADDED, steps, strict=True)
    )


EQUAL = (
    "The budget is equal in floating-point operations of distilling, constraints included, as each method counts the `cost` of a step: "
    "{budget} for every set, so a constraint has to make up for the steps that it costs. Operations are the same on every machine, "
    "minutes are not{minutes}. What is trained once "
    "for all sets is left out: {trained}. {changes} The images of `dm` and `dsa` are an average over all of these steps, as the preset "
    "fast has it, those of `mtt` the last ones. Nothing was chosen on this split, and budgets are small: only differences whose "
    "interval for all pairs together leaves out zero say something."
)

RANDOM = Row("random", inherits=False, iterations=0)
GRIDS: dict[str, Experiment] = {
    "grid-kinds-digits": Experiment(
        title="Each constraint on methods of three kinds, with equal budgets, digits, IPC 2",
        blocks=(Block("digits", (2,), 100, seeds=(0, 1, 2), settings=("real_batch=64",), repeats=1, epochs=150),),
        rows=(RANDOM, *_rows(DIGITS, (TEACHER,))),
        preset="fast",
        policy=Policy("fp32", False),
        remark=EQUAL.format(
            budget="500 billion",
            minutes=", and nothing was compiled",
            trained="three experts of three epochs, and one ConvNet of four",
            changes="`dsa` has ten times the published learning rate, as it takes a twentieth of the steps, and the loops of IPC 1, so it "
            "matches in random networks; `mtt` takes ten inner steps, "
            "about as many as its experts take in two epochs.",
        ),
    ),
    "grid-kinds-cifar10-ipc10": Experiment(
        title="Each constraint on methods of three kinds, with equal budgets, CIFAR-10, IPC 10",
        blocks=(Block("cifar10", (10,), 100, seeds=(0, 1, 2), settings=("real_batch=32",), repeats=1, epochs=60),),
        rows=(RANDOM, *_rows(CIFAR10, (TEACHER, "pretrained.recipe.epochs=2"))),
        preset="fast",
        policy=Policy("fp32", compile=True),
        remark=EQUAL.format(
            budget="5 trillion",
            minutes="",
            trained="two experts of two epochs, and one ConvNet of two",
            changes="Values are cut so that the steps of all methods cost alike: 32 real images a class; `dsa` trains its network for 2 "
            "epochs between matches instead of 50, at ten times the published learning rate; `mtt` takes 10 inner steps on 20 images "
            "instead of 30 on 100, to follow one epoch instead of two. The numbers say nothing of how good `dsa` and `mtt` are at their "
            "published settings. Networks are trained for 60 epochs instead of 1,000.",
        ),
    ),
    "grid-weights-cifar10-ipc10": Experiment(
        title="Choosing the weights of the constraints on DSA, CIFAR-10, IPC 10",
        blocks=(Block("cifar10", (10,), 20, seeds=(0, 1, 2), settings=("real_batch=32", *CIFAR10["dsa"][0]), repeats=1, epochs=60),),
        rows=(
            Row("dsa"),
            *(Row("dsa+cm", label=f"cm{weight}", settings=(f"cm.weight={weight}",)) for weight in (0.1, 1.0)),
            *(
                Row("dsa+cc", label=f"cc{weight}", settings=(TEACHER, "pretrained.recipe.epochs=2", f"cc.weight={weight}"))
                for weight in (0.006, 0.06)
            ),
        ),
        preset="fast",
        policy=Policy("fp32", compile=True),
        split="validation",
        remark="The steps are those of grid-kinds-cifar10-ipc10, 20 for every row. The weights there, .01 of `cm` and .0006 of `cc`, are "
        "those chosen for methods that match distributions. Here they are ten and a hundred times as large; `balance` keeps the "
        "gradient of a constraint no longer than that of the method itself.",
    ),
}
"""By name."""
