"""Tables and figures of the paper on CIFAR-10 and CIFAR-100, at budgets of an hour or two of two cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from datastill.evaluation import Protocol
from datastill.experiments.constraints import COMPILED
from datastill.experiments.continual.specification import ContinualExperiment, ContinualRow
from datastill.experiments.paper import TABLE1, TABLE6, TABLE7
from datastill.experiments.recipes import CONVNET
from datastill.experiments.specification import AnyExperiment, Block, Experiment, Row
from datastill.methods.published import PublishedAccuracy

PRINTED = {row.method: row.paper for table in (TABLE6, TABLE1) for row in table.rows}
"""What the paper's tables have of a method; Table 6 alone has each constraint apart."""
SNAPSHOTS = ("matching=trajectory", "matching.count=1", "matching.recipe.epochs=12", "matching.snapshots.early=0")
"""One training run, the same as that of `tgdd` with the preset "best"."""
IN_SNAPSHOTS = {
    method: PublishedAccuracy(percent, differs="random networks")
    for method, paper in PRINTED.items()
    if isinstance(paper, Mapping) and isinstance(percent := paper.get(("cifar10", 10)), float)
}
"""What is published of a method that reads random networks, for rows that read others."""
RATIOS = {row.method: row for row in TABLE7.rows}
HINGE = ("cc.form=hinge", "cc.alpha=0.3", "cc.weight=0.03", "balance=0", "pretrained.recipe.epochs=4")
"""`alpha d^2` of the first images is about 1, so that thresholds from 1 to 2 leave out from none to most of them."""

SIZED: dict[str, AnyExperiment] = {
    "table5-cifar10": Experiment(
        title="The threshold of class centralization (as Table 5 of the paper), CIFAR-10, IPC 10",
        blocks=(Block("cifar10", (10,), 200, seeds=(0, 1), repeats=2, epochs=300),),
        rows=(
            Row("dm"),
            *(Row("dm+cc", label=f"beta{beta:g}", settings=(*HINGE, f"cc.beta={beta:g}")) for beta in (0, 1, 1.3, 2)),
        ),
        preset="fast",
        policy=COMPILED,
        remark="Every set has 200 iterations with 64 real images a class, and networks are trained for 300 epochs instead of 1,000. Class "
        "centralization reads one ResNet18 of 4 epochs. Its alpha, which the paper does not give, and its weight are ours. Below 1, beta "
        "changes the loss and no gradient: in `max(0, exp(alpha d^2) - beta)` the exponential is never below 1, so nothing is cut off, and "
        "the derivative has no beta in it. `beta0` and `beta1` therefore differ in nothing but rounding; above 1, images near the centre "
        "of their class are left alone. Nothing was chosen for these runs.",
    ),
    "table6-cifar10": Experiment(
        title="The two constraints, one by one and together (as Table 6 of the paper), CIFAR-10, IPC 10",
        blocks=(Block("cifar10", (10,), 1000, seeds=(0, 1), repeats=3),),
        rows=tuple(Row(row.method, row.paper, settings=CONVNET if row.method in ("dm+cc", "dm+iid") else ()) for row in TABLE6.rows),
        preset="fast",
        policy=COMPILED,
        remark="Every set has 1,000 iterations with 64 real images a class, not 20,000 with 256. Class centralization has its relative "
        "form and reads a ConvNet of 4 epochs, not ResNet18 networks of 40. With it `dm+iid` is below `dm+cm`. In "
        "components-cifar10-ipc10 it is above, with the preset code, a ResNet18 of 8 epochs, the squared form, and one set a row. "
        "Nothing was chosen for these runs.",
    ),
    "snapshots-cifar10-ipc10": Experiment(
        title="The two constraints in snapshots of a training run instead of random networks (as Table 6 of the paper), CIFAR-10, IPC 10",
        blocks=(Block("cifar10", (10,), 1000, seeds=(0, 1), repeats=3),),
        rows=(
            Row("dm+iid", IN_SNAPSHOTS["dm+iid"], settings=(*SNAPSHOTS, *CONVNET)),
            Row("dm", IN_SNAPSHOTS["dm"], settings=SNAPSHOTS),
        ),
        preset="fast",
        policy=COMPILED,
        keep_sets=True,
        remark="As table6-cifar10, with one thing changed: features are matched in snapshots of one training run of 12 epochs on the "
        "real images, which `tgdd` reads too with the preset best, not in random networks. The published numbers are of random networks. "
        "Nothing was chosen for these runs.",
    ),
    "table7-cifar10": Experiment(
        title="Small compression ratios (as Table 7 of the paper), CIFAR-10",
        blocks=(Block("cifar10", (1, 10, 50, 100), 200, repeats=2, epochs=150),),
        rows=(RATIOS["random"], RATIOS["k-center"], RATIOS["dm"], replace(RATIOS["dm+iid"], settings=(*CONVNET, "views=4"))),
        preset="fast",
        policy=COMPILED,
        over_ipc=True,
        remark="Every set has 200 iterations with 64 real images a class, and networks are trained for 150 epochs instead of 1,000, so the "
        "networks of larger sets are closer to convergence. `dm+iid` has four views of every image, so that one image a class has a "
        "covariance, and reads a ConvNet of 4 epochs, so part of what it is above `dm` may be due to the "
        "views; it is not in the paper's table, whose other numbers are mostly those of DC-BENCH. "
        "Its numbers for `k-center` are far above the 14.7 and 27.0 that the DC paper has at IPC 10 and 50, near ours.",
    ),
    "table1-cifar100-ipc10": Experiment(
        title="Methods that match distributions (as in Table 1 of the paper), CIFAR-100, IPC 10",
        blocks=(Block("cifar100", (10,), 150, repeats=2, epochs=100),),
        rows=tuple(
            Row(method, PRINTED[method], settings=CONVNET if method.endswith("+iid") else ())
            for method in ("dm", "dm+cm", "dm+iid", "datadam", "idm", "idm+iid")
        ),
        preset="fast",
        policy=COMPILED,
        remark="Every set has 150 iterations with 64 real images a class, not thousands with 256, and networks are trained for 100 epochs "
        "instead of 1,000, as for the selections of selection-cifar100-ipc10. Class centralization reads a ConvNet of 4 epochs. The number "
        "of `dm+cm` is that of Table 6. Nothing was chosen for these runs.",
    ),
    "figure7-cifar100": ContinualExperiment(
        title="Continual learning in five steps (as Figure 7 of the paper), CIFAR-100, 20 images a class in the memory",
        data="cifar100",
        steps=(5,),
        rows=(
            ContinualRow("random", iterations=0),
            ContinualRow("herding", iterations=0),
            ContinualRow("dm"),
            ContinualRow("dm+cm"),
            ContinualRow("dm+iid", settings=CONVNET),
        ),
        iterations=100,
        seeds=(0, 1),
        repeats=1,
        protocol=Protocol(epochs=60),
        preset="fast",
        policy=COMPILED,
        remark="Each step distils for 100 iterations with 64 real images a class, and one network is trained for 60 epochs after it, not "
        "three for 1,000, so networks are far from convergence, the more so the fewer images there are. `dm+iid` reads a ConvNet that is "
        "trained on the new classes in every step.",
    ),
}
"""By the name of the table or figure and the data set."""
