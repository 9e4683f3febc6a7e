"""Networks that a job needs and that are not trained yet, and how long that takes here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.engine.measuring import Part, nbytes
from datastill.networks import build
from datastill.teachers.pool import pretraining_cost
from datastill.teachers.pretraining import Pretraining
from datastill.teachers.recipe import TrainingRecipe


@dataclass(frozen=True)
class Untrained:
    """Networks that are trained first.

    Attributes:
        network: A name of `datastill.networks.NETWORKS`.
        count: How many of them are missing.
        recipe: How they are trained.
        folder: Where they are kept.
        size: Bytes that are kept of each; 0 for its weights once.
    """

    network: str
    count: int
    recipe: TrainingRecipe
    folder: Path
    size: int = 0

    def part(self, data: DataSet, engine: Engine) -> Part:
        """Measure on a few steps how long their training takes; nothing is kept of these steps."""
        model = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        engine = engine.suited(pretraining_cost(data, model, self.recipe))
        pretraining = Pretraining(data, engine.place(model), self.recipe, engine)
        pretraining.begin(0)
        what = f"first, {self.network} on the real images, {self.recipe.epochs} epochs"
        what = what if self.count == 1 else f"{what}, {self.count} networks"
        kept = self.size or nbytes(list(model.weights().values()))
        return Part(what, self.count * pretraining.seconds(), self.count * kept, str(self.folder))
