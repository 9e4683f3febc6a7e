"""The paper's figure of continual learning."""

from __future__ import annotations

from datastill.experiments.continual.specification import ContinualExperiment, ContinualRow

CONTINUAL: dict[str, ContinualExperiment] = {
    "figure7": ContinualExperiment(
        title="Continual learning (Figure 7 of the paper), CIFAR-100, 20 images a class in the memory",
        data="cifar100",
        steps=(5, 10),
        rows=(
            ContinualRow("random", iterations=0),
            ContinualRow("herding", iterations=0),
            ContinualRow("dsa", iterations=10_000),
            ContinualRow("dm"),
            ContinualRow("dm+iid"),
        ),
        iterations=2000,
        remark="The paper draws this figure and prints none of its numbers, nor does it say how many iterations a step has. `dsa` has its "
        "published 1,000 networks of ten matches. Networks that a method reads, such as those of `herding` and `dm+iid`, are trained in "
        "every step on its new classes alone.",
    ),
}
"""Experiments on continual learning by name."""
