"""Running one cell of an experiment on privacy."""

from __future__ import annotations

from pathlib import Path

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.evaluation.scorer import training_cost
from datastill.experiments.cell import PrivacyCell
from datastill.experiments.privacy.inference import Inference
from datastill.experiments.privacy.specification import PrivacyRecord
from datastill.experiments.privacy.worlds import Worlds
from datastill.experiments.training_sets import Recipe, shared_fields


def record(cell: PrivacyCell, data: DataSet, folder: Path, engine: Engine) -> PrivacyRecord:
    """Make what is missing, attack, and say what the attacks reached."""
    inference = _inference(cell, data, engine)
    found = inference.attack(folder)
    sets = [folder / f"set{model + 1}" for model in range(cell.models)]
    return PrivacyRecord(
        **shared_fields(cell, data, found.images, sets, inference.engine_of(inference.worlds.read(0))),
        attacks=found.attacks,
        accuracies=found.accuracies,
        members=found.members,
        others=found.others,
    )


def check(cell: PrivacyCell, data: DataSet) -> None:
    """Refuse a cell that cannot be run on a data set."""
    _inference(cell, data, None).check()


def training(cell: PrivacyCell, data: DataSet) -> list[float]:
    """Floating-point operations of training each network."""
    half = Worlds(data, cell.pool, cell.audit, cell.models, cell.seed).read(0)
    return [training_cost(half, cell.protocol, Recipe.of(cell).images(half))] * cell.models


def _inference(cell: PrivacyCell, data: DataSet, engine: Engine | None) -> Inference:
    worlds = Worlds(data, cell.pool, cell.audit, cell.models, cell.seed)
    return Inference(worlds, Recipe.of(cell), cell.protocol, cell.split, engine)
