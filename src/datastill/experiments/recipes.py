"""Experiments that search the preset "best": snapshots, constraints, parts of images and schedules on CIFAR-10's validation split."""

from __future__ import annotations

from datastill.engine.policy import Policy
from datastill.experiments.specification import Block, Experiment, Row

EPOCHS = 12
READERS = ("matching", "expert")


def _runs(*readers: str, count: int = 1, epochs: int = EPOCHS) -> tuple[str, ...]:
    """One training run, the same for all rows."""
    return tuple(
        f"{reader}.{change}"
        for reader in readers
        for change in (f"count={count}", f"recipe.epochs={epochs}", "snapshots.every=1", "snapshots.early=0")
    )


SNAPSHOTS = _runs(*READERS)
ENDS = (*SNAPSHOTS, *(f"{reader}.first={EPOCHS}" for reader in READERS))
CONVNET = ("pretrained.network=convnet",)
RECIPES = (
    Row("idm"),
    Row("dance", settings=ENDS),
    Row("tgdd", settings=SNAPSHOTS),
    Row("tgdd+cm", settings=SNAPSHOTS),
    Row("tgdd+iid", settings=(*SNAPSHOTS, *CONVNET)),
    Row("cf+cal", settings=ENDS),
)
"""Methods that read trained networks, with the networks of `SNAPSHOTS`; `idm` trains its own."""

SEARCHES: dict[str, Experiment] = {
    "recipes-cifar10-ipc10": Experiment(
        title="Choosing the method of the preset best, CIFAR-10, IPC 10",
        blocks=(Block("cifar10", (10,), 200, repeats=2, epochs=200),),
        rows=RECIPES,
        preset="fast",
        split="validation",
        policy=Policy("fp32", compile=True),
        remark="Every row has 200 iterations with 64 real images a class, stored as four parts of an image. All but `idm` read one "
        "training run of 12 epochs, whose minutes are told apart and paid once for all rows; `idm` trains its own on the way. With two "
        "networks a row, only differences of a point and more count.",
    ),
}
