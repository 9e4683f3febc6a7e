"""Networks pretrained on the real images, in a cache keyed by data fingerprint and recipe."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import random
from datastill.data import ClassImages, DataSet, cache_folder
from datastill.encoders.recipe import TrainingRecipe, flip_and_shift
from datastill.engine import Engine, Trainer
from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors
from datastill.networks import Network, build
from datastill.operations import forward_operations
from datastill.predict import predictions
from datastill.progress import clock, progress

log = logging.getLogger(__name__)

SPEED = {True: 3e11, False: 6e10}
"""Operations a second, compiled or not, of two cores with bfloat16 units: what the announced time is reckoned with."""


@dataclass(frozen=True)
class PretrainedNetwork:
    """A network in the cache.

    Attributes:
        path: Its weights.
        accuracy: Top-1 on the validation split, in percent; of the training split where nothing is held out.
        seconds: How long its training took.
        curve: After every epoch, the seconds of training so far and the top-1 in percent on the epoch's own augmented batches, before each
            step.
    """

    path: Path
    accuracy: float
    seconds: float
    curve: tuple[tuple[float, float], ...] = ()


def pool_folder(data: DataSet, network: str, recipe: TrainingRecipe) -> Path:
    """Where the pool of one data set, network and recipe is kept; the same images normalised or mirrored otherwise have another."""
    seen = hashlib.blake2b(repr((data.mean, data.std, data.flip)).encode(), digest_size=4).hexdigest()
    return cache_folder() / "networks" / f"{data.fingerprint}-{seen}" / f"{network}-{recipe.epochs}epochs-{recipe.key()}"


def pretrain(data: DataSet, network: str, count: int, recipe: TrainingRecipe, engine: Engine) -> list[PretrainedNetwork]:
    """Train what is missing of a pool of networks; each is checkpointed every epoch and continued after a kill.

    Args:
        data: The images; trained on its training split, measured on its validation split.
        network: A name of `datastill.networks.NETWORKS`.
        count: Networks in the pool; number i is trained with seed i.
        recipe: How to train.
        engine: How to run.

    Returns:
        The pool, in order.
    """
    if count < 1:
        raise UserError(f"a pool needs at least one network, got --count {count}")
    folder = pool_folder(data, network, recipe)
    missing = [index for index in range(count) if not (folder / f"{index}.safetensors").exists()]
    if missing:
        model = build(network, channels=data.channels, classes=data.classes, size=data.size)
        one = operations(data, model, recipe)
        work = one * len(missing)
        engine = engine.suited(one)  # by one network, so that none depends on how many are trained with it
        log.warning(
            "pretraining %d %s for %d epochs on %s: %.3g TFLOP, about %s on two cores; kept in %s",
            len(missing), network, recipe.epochs, data.name, work / 1e12, clock(work / SPEED[engine.compiled]), folder,
        )  # fmt: skip
        model = engine.place(model)
        for index in missing:
            _train(data, model, recipe, engine, folder, index)
    return found(data, network, count, recipe)


def found(data: DataSet, network: str, count: int, recipe: TrainingRecipe) -> list[PretrainedNetwork]:
    """What is there of a pool, in order (see `pretrain`)."""
    paths = [pool_folder(data, network, recipe) / f"{index}.safetensors" for index in range(count)]
    return [_entry(path) for path in paths if path.exists()]


def operations(data: DataSet, network: Network, recipe: TrainingRecipe) -> float:
    """Floating-point operations that training one network takes."""
    equivalent = recipe.epochs - 0.75 * half_size_epochs(data, network, recipe)
    return 3 * forward_operations(network) * len(data.train) * equivalent


def batch_size(data: DataSet, recipe: TrainingRecipe) -> int:
    """The recipe's batch, or a smaller one where a small data set would get too few steps an epoch to learn from."""
    return min(recipe.batch, max(16, len(data.train) // 64))


def half_size_epochs(data: DataSet, network: Network, recipe: TrainingRecipe) -> int:
    """How many of the recipe's epochs see images of half the side."""
    suitable = network.resizable and min(data.size) >= 32
    return round(recipe.half_size * recipe.epochs) if suitable else 0


def accuracy(network: Network, images: ClassImages, data: DataSet, engine: Engine) -> float:
    """Top-1 accuracy in percent on a split, without augmentation."""
    predicted = predictions(engine.runner(network, ("logits",)), images, data)
    return 100 * int((predicted == images.labels).sum()) / len(images)


def _entry(path: Path) -> PretrainedNetwork:
    _, metadata = load_tensors(path)
    curve = tuple((seconds, accuracy) for seconds, accuracy in json.loads(metadata.get("curve", "[]")))
    return PretrainedNetwork(path, float(metadata["accuracy"]), float(metadata["seconds"]), curve)


def _train(data: DataSet, network: Network, recipe: TrainingRecipe, engine: Engine, folder: Path, index: int) -> None:
    network.reset(random.generator(index, "pretraining", "weights"))
    trainer = Trainer(
        engine,
        network,
        learning_rate=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
    )
    partial = folder / f"{index}.partial.safetensors"
    first, curve = _restore(partial, trainer)
    size = batch_size(data, recipe)
    batches = max(1, len(data.train) // size)
    halved = half_size_epochs(data, network, recipe)
    title = f"pretraining {network.name} {index}"
    with progress(title, recipe.epochs * batches, done=first * batches, unit="step") as bar:
        for epoch in range(first, recipe.epochs):
            began = time.monotonic()
            order = torch.randperm(len(data.train), generator=random.generator(index, "pretraining", "order", epoch))
            correct = seen = 0
            for batch in range(batches):
                step = epoch * batches + batch
                images, labels = _batch(data, order[batch * size :][:size], recipe, index, step)
                images = F.avg_pool2d(images, 2) if epoch < halved else images
                trainer.set_learning_rate(recipe.rate(step, recipe.epochs * batches))
                loss, hits = trainer.step(images.to(engine.device), labels.to(engine.device))
                correct, seen = correct + hits, seen + len(labels)
                bar.advance(f"loss {loss:.3f} accuracy {100 * correct / seen:.1f}%")
            seconds = time.monotonic() - began + (curve[-1][0] if curve else 0)
            curve.append((round(seconds, 3), round(100 * correct / seen, 2)))
            if epoch + 1 < recipe.epochs:
                save_tensors(partial, trainer.state(), {"curve": json.dumps(curve), "engine": json.dumps(engine.describe())})
    held_out = data.validation if len(data.validation) else data.train
    reached = accuracy(network, held_out, data, engine)
    log.warning("%s: %.1f%% on %d held-out images after %s", title, reached, len(data.validation), clock(curve[-1][0]))
    metadata = {
        "accuracy": str(reached),
        "seconds": str(curve[-1][0]),
        "curve": json.dumps(curve),
        "network": network.name,
        "data": data.name,
        "fingerprint": data.fingerprint,
        "recipe": json.dumps(asdict(recipe)),
        "seed": str(index),
        "engine": json.dumps(engine.describe()),
    }
    save_tensors(folder / f"{index}.safetensors", network.weights(), metadata)
    partial.unlink(missing_ok=True)


def _batch(data: DataSet, rows: Tensor, recipe: TrainingRecipe, seed: int, step: int) -> tuple[Tensor, Tensor]:
    images = data.normalise(data.train.gather(rows))
    if recipe.augment:
        images = flip_and_shift(images, flip=data.flip, generator=random.generator(seed, "pretraining", "augmentation", step))
    return images, data.train.labels[rows]


def _restore(partial: Path, trainer: Trainer) -> tuple[int, list[tuple[float, float]]]:
    if not partial.exists():
        return 0, []
    try:
        tensors, metadata = load_tensors(partial)
    except UserError as error:
        log.warning("%s; that network begins again", error)
        return 0, []
    if "curve" not in metadata or metadata.get("engine") != json.dumps(trainer.engine.describe()):
        log.warning("%s was begun in another way (precision, compilation); that network begins again", partial)
        return 0, []
    trainer.restore(tensors)
    curve = [(seconds, accuracy) for seconds, accuracy in json.loads(metadata["curve"])]
    return len(curve), curve
