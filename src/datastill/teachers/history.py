"""A network's predictions for every training image during its training, cached like the networks."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from datastill import stopping
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import check_tensors, load_tensors, locked, remove_leftovers, save_tensors
from datastill.logs import logger
from datastill.networks import build
from datastill.progress import progress
from datastill.teachers.pool import pool_folder, pretraining_cost
from datastill.teachers.pretraining import WITHIN, Pretraining
from datastill.teachers.recipe import TrainingRecipe
from datastill.teachers.stored import AGAIN, Member, as_begun, check_correct, continued, number
from datastill.text import counted

log = logger(__name__)

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
    return _read(Member(data, network, recipe), path)[0]


def history_seconds(data: DataSet, network: str, recipe: TrainingRecipe, cache: Path | None = None) -> float:
    """How long the training of a history took, in wall time; 0 if there is none yet."""
    path = history_path(data, network, recipe, cache)
    return _read(Member(data, network, recipe), path)[1] if path.exists() else 0.0


def _read(member: Member, path: Path) -> tuple[Tensor, float]:
    """A history, and its seconds."""
    try:
        tensors, text = load_tensors(path)
        member.check(text, path)
        _check(tensors, member, member.recipe.epochs, path)
        return tensors[NAME], number(text, "seconds", math.inf, path)
    except UserError as error:
        raise UserError(f"{error}: {AGAIN}") from error


def _check(tensors: Mapping[str, Tensor], member: Member, epochs: int, path: Path) -> None:
    """Refuse what is not a history of some epochs."""
    check_tensors(tensors, {NAME: torch.empty(epochs, len(member.data.train), dtype=torch.int8)}, str(path))
    check_correct(tensors[NAME], str(path))


def _train(data: DataSet, network: str, recipe: TrainingRecipe, engine: Engine, path: Path) -> None:
    model = build(network, channels=data.channels, classes=data.classes, size=data.size)
    partial, member = path.with_name(f"{NAME}.partial.safetensors"), Member(data, network, recipe)
    engine = as_begun(engine.suited(pretraining_cost(data, model, recipe)), [partial])
    pretraining = Pretraining(data, engine.place(model), recipe, engine)
    log.info(
        "training %s for %s on %s and recording its prediction for every image; kept in %s", network, counted(recipe.epochs, "epoch"),
        data.name, path,
    )  # fmt: skip
    pretraining.begin(0)
    origin = {**member.text(), "engine": json.dumps(engine.describe())}
    state_of = pretraining.trainer.state
    history, begun, seconds = _continued(partial, member, pretraining)
    began = time.monotonic()

    def keep(correct: Tensor) -> None:
        found = {**({NAME: torch.stack(history)} if history else {}), WITHIN: correct}
        save_tensors(partial, {**state_of(), **found}, {**origin, "seconds": str(seconds + time.monotonic() - began)})

    steps, done = recipe.epochs * pretraining.batches, len(history) * pretraining.batches + pretraining.taken(begun)
    with progress(f"history of {network}", steps, done=done, unit="step", work=pretraining.work) as bar, stopping.Hold(keep) as hold:
        for epoch in range(len(history), recipe.epochs):
            began = time.monotonic()
            history.append(pretraining.epoch(0, epoch, bar, hold, begun))
            begun, seconds = None, seconds + time.monotonic() - began
            save_tensors(partial, {**state_of(), NAME: torch.stack(history)}, {**origin, "seconds": str(seconds)})
            stopping.check()
    save_tensors(path, {NAME: torch.stack(history)}, {**origin, "seconds": str(seconds)})
    partial.unlink(missing_ok=True)


def _continued(partial: Path, member: Member, pretraining: Pretraining) -> tuple[list[Tensor], Tensor | None, float]:
    """Take over what was left: the epochs that were taken, what a further one had found when it was stopped, the seconds of it all."""

    def check(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
        history = {name: value for name, value in tensors.items() if name == NAME}
        taken = len(history[NAME]) if history and history[NAME].ndim else 0
        if history:
            _check(history, member, max(1, taken), partial)
        pretraining.check({name: value for name, value in tensors.items() if name != NAME}, taken, str(partial))
        number(text, "seconds", math.inf, partial)

    left = continued(partial, member, pretraining.engine, check, "that history")
    if left is None:
        return [], None, 0.0
    tensors, text = left
    history, within = list(tensors.pop(NAME, torch.empty(0, 0))), tensors.pop(WITHIN, None)
    pretraining.trainer.restore(tensors)
    return history, within, float(text["seconds"])
