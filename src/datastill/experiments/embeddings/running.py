"""Running one cell of a figure of embeddings."""

from __future__ import annotations

from pathlib import Path

from datastill.analysis import analyse
from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.experiments.cell import REAL, EmbeddingCell
from datastill.experiments.embeddings.specification import EmbeddingRecord
from datastill.experiments.training_sets import Recipe, make, shared_fields
from datastill.networks import build
from datastill.teachers.pool import pretraining_cost


def record(cell: EmbeddingCell, data: DataSet, folder: Path, engine: Engine) -> EmbeddingRecord:
    """Distil what is missing, and analyse it."""
    run = folder / "set"
    made = make(Recipe.of(cell), data, cell.seed, run, engine)
    found = analyse(
        DistilledSet.load(run), network=cell.network, recipe=cell.recipe, real=cell.real, data=data, seed=cell.seed, engine=engine
    )
    return EmbeddingRecord(**shared_fields(cell, data, made.stored, [run], engine), analysis=found)


def check(cell: EmbeddingCell, data: DataSet) -> None:
    """Refuse a cell that cannot be run on a data set."""
    if cell.method == REAL:
        raise UserError("a figure of embeddings shows real images beside every set, so it has no row of them")
    Recipe.of(cell).check(data)
    build(cell.network, channels=data.channels, classes=data.classes, size=data.size)


def training(cell: EmbeddingCell, data: DataSet) -> list[float]:
    """Floating-point operations of training the network whose embedding it is."""
    return [pretraining_cost(data, build(cell.network, channels=data.channels, classes=data.classes, size=data.size), cell.recipe)]
