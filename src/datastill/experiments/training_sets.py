"""The set that the networks of an application are trained on: distilled, chosen, or the real images themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datastill import provenance, random
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments.cell import REAL, ApplicationCell
from datastill.experiments.record import Maker
from datastill.kinds import Method
from datastill.labels import HARD
from datastill.methods import method as composed
from datastill.runs import Run
from datastill.runs.distill import distill


@dataclass(frozen=True)
class Recipe:
    """How a set is made.

    Attributes:
        method: In the grammar of `datastill.method`, or `REAL`.
        ipc: Images per class; 0, for `REAL` alone, is all.
        iterations: Steps; None for the method's own number.
        preset: Which published values.
        settings: Changes to them.
    """

    method: str
    ipc: int
    iterations: int | None = None
    preset: str = "paper"
    settings: tuple[str, ...] = ()

    @classmethod
    def of(cls, cell: ApplicationCell) -> Recipe:
        """That of a cell."""
        return cls(cell.method, cell.ipc, cell.iterations or None, cell.preset, cell.settings)

    def compose(self, data: DataSet) -> Method | None:
        """The method; None for real images."""
        if self.method == REAL:
            return None
        return composed(self.method, data=data, ipc=self.ipc, preset=self.preset, settings=self.settings)

    def check(self, data: DataSet, protocol: Protocol | None = None) -> None:
        """Refuse what cannot be made of a data set, or be trained on under a protocol."""
        made = self.compose(data)
        if protocol and protocol.called == "dd" and not (made and made.own_steps):
            raise UserError(f"the protocol 'dd' takes the training steps that a set was learned with, and {self.method} has none: use 'dc'")
        if self.ipc < (made is not None):
            raise UserError(f"expected at least 1 image per class of {self.method}, got `ipc={self.ipc}`")
        if made:
            made.check(data, self.ipc)

    def cost(self, data: DataSet) -> float:
        """Floating-point operations of making it."""
        made = self.compose(data)
        return made.cost(data, self.ipc) * made.iterations(self.iterations) if made else 0.0

    def images(self, data: DataSet) -> int:
        """Of the set, about."""
        return sum(min(self.ipc or count, count) for count in data.train.counts) if self.method == REAL else self.ipc * data.classes


@dataclass(frozen=True)
class TrainingSet:
    """What networks are trained on.

    Attributes:
        images: Normalised ``image channel height width``, parts of stored images enlarged.
        labels: int64 ``image``, or float32 ``image class`` where they are soft.
        label_kind: What they are, one of `datastill.labels.KINDS`.
        learned_rate: The learning rate that was learned with it.
        stored: Images of the set, without their parts.
        numbers: What was learned with it, by name.
    """

    images: Tensor
    labels: Tensor
    label_kind: str
    learned_rate: float | None
    stored: int
    numbers: Mapping[str, float] = field(default_factory=dict)


def make(recipe: Recipe, data: DataSet, seed: int, out: Path | None, engine: Engine | None) -> TrainingSet:
    """Make a set, or find it in the folder of its run, or continue there.

    Args:
        recipe: How.
        data: What of.
        seed: Of all draws.
        out: The folder of the run; None keeps nothing.
        engine: How to run; None for what suits it.
    """
    made = recipe.compose(data)
    if made is None:
        positions = torch.cat(
            [
                data.train.draw(label, min(recipe.ipc or count, count), random.generator(seed, label, "real images"))
                for label, count in enumerate(data.train.counts)
                if count
            ]
        )
        return TrainingSet(data.normalise(data.train.gather(positions)), data.train.labels[positions], HARD, None, len(positions))
    found = distill(  # a finished run takes no step, but is refused if it was made otherwise
        data,
        method=made,
        ipc=recipe.ipc,
        iterations=recipe.iterations,
        seed=seed,
        out=out,
        resume=out is not None and (out / "config.yaml").exists(),
        engine=engine.suited(recipe.cost(data)) if engine else None,
    )
    return TrainingSet(*found.expanded(), found.label_kind, found.learning_rate, len(found.images), found.numbers)


def shared_fields(cell: ApplicationCell, data: DataSet, images: int, sets: Sequence[Path], engine: Engine) -> dict[str, Any]:
    """What the records of all applications say (see `datastill.experiments.application.ApplicationRecord`).

    Args:
        cell: What was asked for.
        data: What the sets were made of.
        images: Of the set, or of each set.
        sets: The folders of their runs; real images have none.
        engine: Of the networks that were trained on them.
    """
    now = (provenance.machine(), (provenance.commit(),))
    runs = [Run(folder) for folder in sets if (folder / "config.yaml").exists()]
    config = runs[0].config() if runs else None
    commits = tuple(dict.fromkeys(commit for run in runs for commit in run.commits()))
    return {
        "cell": cell,
        "fingerprint": data.fingerprint,
        "class_names": data.class_names,
        "train": len(data.train),
        "images": images,
        "method": config["method"] if config else {},
        "distilled_by": Maker.of(config["engine"], config["made_by"]["machine"], commits) if config else Maker.of({}, *now),
        "evaluated_by": Maker.of(engine.describe(), *now),
    }
