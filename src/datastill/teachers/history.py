"""A network's predictions for every training image during its training, cached like the networks."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import torch
from torch import Tensor

from datastill import stopping
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import load_tensors, locked, remove_leftovers, save_tensors
from datastill.networks import build
from datastill.progress import progress
from datastill.teachers.pretraining import WITHIN, Pretraining, pool_folder, pretraining_cost
from datastill.teachers.recipe import TrainingRecipe

log = logging.getLogger(__name__)

NAME = "history"


def history_path(data: DataSet, network: str, recipe: TrainingRecipe, cache: Path | None = None) -> Path:
    """The file of a history, beside the networks that were trained by the same recipe."""
    return pool_folder(data, network, recipe, cache) / f"{NAME}.safetensors"


def training_history(data: DataSet, network: str, recipe: TrainingRecipe, engine: Engine, *, cache: Path | None = None) -> Tensor:
    """Train number 0 of a pool and record, for every image and epoch, whether it was classified correctly in its batch.

    It is saved after every epoch: after a kill the same call continues, and once it is complete it is read. Where another process records
    it, this one waits, saying so, and then reads it.

    Args:
        data: The images; the history is of its training split.
        network: A name of `datastill.networks.NETWORKS`.
        recipe: How it is trained.
        engine: How to run.
        cache: The folder that it is looked for and kept in; by default the user's cache.

    Returns:
        int8 ``epoch image``: 1 for correctly, 0 for wrongly, -1 where the epoch did not see the image.

    Raises:
        UserError: If a saved history cannot be read, or nothing can be written into the cache.
    """
    path = history_path(data, network, recipe, cache)
    if not path.exists():
        with locked(path, f"the history in {path}", wait=True):
            if not path.exists():  # no other process recorded it meanwhile
                remove_leftovers(path.parent)
                _train(data, network, recipe, engine, path)
    return load_tensors(path)[0][NAME]


def history_seconds(data: DataSet, network: str, recipe: TrainingRecipe, cache: Path | None = None) -> float:
    """How long the training of a history took, in wall time; 0 if there is none yet."""
    path = history_path(data, network, recipe, cache)
    return float(load_tensors(path)[1]["seconds"]) if path.exists() else 0.0


def _train(data: DataSet, network: str, recipe: TrainingRecipe, engine: Engine, path: Path) -> None:
    model = build(network, channels=data.channels, classes=data.classes, size=data.size)
    engine = engine.suited(pretraining_cost(data, model, recipe))
    pretraining = Pretraining(data, engine.place(model), recipe, engine)
    log.info(
        "training %s for %d epochs on %s and recording its prediction for every image; kept in %s", network, recipe.epochs, data.name, path
    )  # fmt: skip
    pretraining.begin(0)
    described = json.dumps(engine.describe())
    partial = path.with_name(f"{NAME}.partial.safetensors")
    state_of = pretraining.trainer.state
    state, seconds = _begun(partial, described)
    history, begun = list(state.pop(NAME, torch.empty(0, 0))), state.pop(WITHIN, None)
    if state:
        pretraining.trainer.restore(state)
    began = time.monotonic()

    def keep(correct: Tensor) -> None:
        found = {**({NAME: torch.stack(history)} if history else {}), WITHIN: correct}
        save_tensors(partial, {**state_of(), **found}, {"engine": described, "seconds": str(seconds + time.monotonic() - began)})

    steps, done = recipe.epochs * pretraining.batches, len(history) * pretraining.batches + pretraining.taken(begun)
    with progress(f"history of {network}", steps, done=done, unit="step", work=pretraining.work) as bar, stopping.Hold(keep) as hold:
        for epoch in range(len(history), recipe.epochs):
            began = time.monotonic()
            history.append(pretraining.epoch(0, epoch, bar, hold, begun))
            begun, seconds = None, seconds + time.monotonic() - began
            save_tensors(partial, {**state_of(), NAME: torch.stack(history)}, {"engine": described, "seconds": str(seconds)})
            stopping.check()
    save_tensors(path, {NAME: torch.stack(history)}, {"engine": described, "seconds": str(seconds)})
    partial.unlink(missing_ok=True)


def _begun(partial: Path, described: str) -> tuple[dict[str, Tensor], float]:
    """The state that a killed training left, and its seconds."""
    if not partial.exists():
        return {}, 0.0
    try:
        state, metadata = load_tensors(partial)
    except UserError as error:
        log.warning("%s; that history starts again", error)
        return {}, 0.0
    if metadata.get("engine") != described:
        log.warning("%s was started with another precision or compilation; that history starts again", partial)
        return {}, 0.0
    return state, float(metadata["seconds"])
