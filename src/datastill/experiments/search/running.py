"""Running one cell of an architecture search."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.evaluation.scorer import training_cost
from datastill.experiments.cell import SearchCell
from datastill.experiments.search.ranking import check_architectures, sample, scores
from datastill.experiments.search.specification import SearchRecord
from datastill.experiments.training_sets import Recipe, make, shared_fields


def record(cell: SearchCell, data: DataSet, folder: Path, engine: Engine) -> SearchRecord:
    """Train what is missing and say what all reached."""
    recipe, run = Recipe.of(cell), folder / "set"
    made = make(recipe, data, cell.seed, run, engine)
    begun = time.monotonic()
    found = scores(
        made,
        sample(cell.architectures, cell.widest),
        data,
        cell.protocol,
        cell.repeats,
        cell.split,
        cell.seed,
        engine,
        folder / "evaluations.json",
    )
    seconds = round(time.monotonic() - begun, 1)
    return SearchRecord(**shared_fields(cell, data, made.stored, [run], engine), accuracies=found, seconds=seconds)


def check(cell: SearchCell, data: DataSet) -> None:
    """Refuse a cell that cannot be run on a data set."""
    Recipe.of(cell).check(data)
    check_architectures(sample(cell.architectures, cell.widest), data)
    data.split(cell.split)


def training(cell: SearchCell, data: DataSet) -> list[float]:
    """Floating-point operations of training each network."""
    images = Recipe.of(cell).images(data)
    names = sample(cell.architectures, cell.widest)
    return [training_cost(data, replace(cell.protocol, network=name), images) for name in names for _ in range(cell.repeats)]
