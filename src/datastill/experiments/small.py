"""Tables and figures of the paper on scikit-learn's digits, in minutes: the same rows at a budget for a laptop."""

from __future__ import annotations

from datastill.evaluation import Protocol
from datastill.experiments.constraints import EXACT, RANDOM, SEEDS
from datastill.experiments.continual.specification import ContinualExperiment, ContinualRow
from datastill.experiments.specification import AnyExperiment, Block, Experiment, Row

HINGE = ("cc.form=hinge", "cc.alpha=0.02", "cc.weight=0.3", "balance=0")
"""As strong as it may be before images leave the range of real ones."""
CHOSEN = Row("k-center", inherits=False, iterations=0)

SMALL: dict[str, AnyExperiment] = {
    "table5-digits": Experiment(
        title="The threshold of class centralization (as Table 5 of the paper), digits, IPC 10",
        blocks=(Block("digits", (10,), 60, seeds=SEEDS, settings=("real_batch=64",), repeats=2, epochs=200),),
        rows=(
            Row("dm"),
            *(Row("dm+cc", label=f"beta{beta:g}", settings=(*HINGE, f"cc.beta={beta:g}")) for beta in (0, 0.5, 1, 1.1, 1.3, 1.5, 2)),
        ),
        preset="fast",
        policy=EXACT,
        remark="Below 1, beta changes the loss and no gradient: in `max(0, exp(alpha d^2) - beta)` the exponential is never below 1, so "
        "nothing is cut off, and the derivative has no beta in it. Rows with beta up to 1 therefore differ in nothing but rounding; above, "
        "images near the centre of their class are left alone. alpha, which the paper does not give, is ours.",
    ),
    "figure4-digits": Experiment(
        title="The weights of the two constraints (as Figure 4 of the paper), digits, IPC 5",
        blocks=(Block("digits", (5,), 60, seeds=SEEDS, settings=("real_batch=64",), repeats=2, epochs=200),),
        rows=(
            Row("dm"),
            *(
                Row("dm+iid", label=f"cc{cc:g}-cm{cm:g}", settings=("pretrained.network=convnet", f"cc.weight={cc:g}", f"cm.weight={cm:g}"))
                for cc, cm in (*((cc, 0.01) for cc in (0.0002, 0.0006, 0.002, 0.006)), *((0.0006, cm) for cm in (0.001, 0.1, 1)))
            ),
        ),
        preset="fast",
        policy=EXACT,
        remark="Class centralization has its relative form and reads a ConvNet. The weights that are used unless others are set are "
        "`cc0.0006-cm0.01`, which is on both curves; the others are from a third to ten times that of `cc`, and from a tenth to a hundred "
        "times that of `cm`.",
    ),
    "table7-digits": Experiment(
        title="Compression ratios (as Table 7 of the paper), digits",
        blocks=(Block("digits", (1, 5, 10, 50), 60, seeds=SEEDS, settings=("real_batch=64",), repeats=1, epochs=150),),
        rows=(RANDOM, CHOSEN, Row("dm"), Row("dm+iid", settings=("views=4",))),
        preset="fast",
        policy=EXACT,
        over_ipc=True,
        remark="Every set has 60 iterations. `dm+iid` has four views of every image, so that one image a class has a covariance too. With "
        "ten images a class or more any choice of real digits covers the classes, and distilled sets are no longer ahead.",
    ),
    "figure7-digits": ContinualExperiment(
        title="Continual learning (as Figure 7 of the paper), digits, 5 images a class in the memory",
        data="digits",
        steps=(5,),
        rows=(ContinualRow("random", iterations=0), ContinualRow("herding", iterations=0), ContinualRow("dm"), ContinualRow("dm+iid")),
        iterations=60,
        ipc=5,
        repeats=2,
        protocol=Protocol(epochs=200),
        preset="fast",
        policy=EXACT,
        remark="Two classes come in each step. Networks that a method reads are trained in every step on its new classes alone.",
    ),
}
"""By the name of the table or figure and the data set."""
