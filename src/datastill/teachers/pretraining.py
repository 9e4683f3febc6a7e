"""Networks pretrained on the real images, in a cache keyed by data fingerprint and recipe."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from functools import partial as calling
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import random, stopping
from datastill.augment import flip_and_shift, training
from datastill.configuration import whole
from datastill.data import ClassImages, DataSet
from datastill.engine import Engine, Runner, Trainer
from datastill.engine.inference import predictions
from datastill.engine.measuring import seconds_of
from datastill.errors import UserError
from datastill.files import check_tensors, locked, remove_leftovers, save_tensors
from datastill.logs import logger
from datastill.networks import Network, build
from datastill.progress import Progress, clock, progress
from datastill.teachers.pool import (
    HALF_SIZE_WORK,
    batch_size,
    found,
    half_size_epochs,
    lacking,
    measured_on,
    pool_folder,
    pretraining_cost,
    steps_of_epoch,
)
from datastill.teachers.recipe import SHIFT, TrainingRecipe
from datastill.teachers.stored import Epoch, Member, PretrainedNetwork, as_begun, check_correct, continued, epochs, number
from datastill.text import counted

log = logger(__name__)

WITHIN = "epoch.correct"
"""What an epoch had found when it was stopped, beside the weights of that moment."""


def pretrain(
    data: DataSet, network: str, count: int, recipe: TrainingRecipe, engine: Engine, *, cache: Path | None = None
) -> list[PretrainedNetwork]:
    """Train what is missing of a pool of networks; each is checkpointed every epoch and continued after a kill.

    Where another process trains one of them, this one waits, saying so, and takes it from there.

    Args:
        data: The images; trained on its training split, measured on its validation split.
        network: A name of `datastill.networks.NETWORKS`.
        count: Networks in the pool; number i is trained with seed i.
        recipe: How to train.
        engine: How to run.
        cache: The folder that the pool is looked for and kept in; by default the user's cache.

    Returns:
        The pool, in order.

    Raises:
        UserError: If the count is below 1, a network of the pool cannot be read, or nothing can be written into the cache.
    """
    count = whole("count", count, least=1)
    folder = pool_folder(data, network, recipe, cache)
    model = build(network, channels=data.channels, classes=data.classes, size=data.size)
    pretraining: Pretraining | None = None
    for index, path in lacking(folder, count):
        with locked(path, f"network {index} of the pool in {folder}", wait=True):
            if path.exists():  # another process trained it meanwhile
                continue
            remove_leftovers(folder)
            if pretraining is None:
                suited = engine.suited(pretraining_cost(data, model, recipe))  # by one network, whatever is trained with it
                engine = as_begun(suited, [partial_path(folder, each) for each in range(count)])
                pretraining = Pretraining(data, engine.place(model), recipe, engine)
                many = len(lacking(folder, count))
                log.info("pretraining %d %s for %s on %s; kept in %s", many, network, counted(recipe.epochs, "epoch"), data.name, folder)
            pretraining.train(folder, index)
    return found(data, network, count, recipe, cache=cache)


def partial_path(folder: Path, index: int) -> Path:
    """Where a network of a pool is while it is trained."""
    return folder / f"{index}.partial.safetensors"


def accuracy(runner: Runner, images: ClassImages, data: DataSet) -> float:
    """Top-1 accuracy in percent on a split, without augmentation."""
    predicted = predictions(runner, images, data)
    return 100 * int((predicted == images.labels).sum()) / len(images)


class Pretraining:
    """Trains the networks of a pool one after the other, with one network compiled once.

    Args:
        data: The images.
        network: What to train, on the device.
        recipe: How to train.
        engine: How to run.
    """

    def __init__(self, data: DataSet, network: Network, recipe: TrainingRecipe, engine: Engine) -> None:
        self.data, self.network, self.recipe, self.engine = data, network, recipe, engine
        self.trainer = Trainer(
            engine,
            network,
            learning_rate=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.momentum > 0,
            sharpness=recipe.sharpness,
            gap=recipe.gap,
        )
        self.runner = Runner(engine, network, ("logits",))
        self.size = batch_size(data, recipe)
        self.batches = steps_of_epoch(data, recipe)
        self.halved = half_size_epochs(data, network, recipe)

    def seconds(self) -> float:
        """Measure how long the training of one network takes, without tests. This takes steps, so `begin` must follow."""
        epochs = {True: self.halved, False: self.recipe.epochs - self.halved}
        rows = torch.arange(self.size)
        of_step = {half: seconds_of(calling(self._step, rows, 0, 0, half=half)) for half, count in epochs.items() if count}
        return self.batches * sum(epochs[half] * seconds for half, seconds in of_step.items())

    def work(self, step: int) -> float:
        """How long a step takes compared with one on whole images."""
        return HALF_SIZE_WORK if step < self.halved * self.batches else 1.0

    def train(self, folder: Path, index: int) -> None:
        """Train number `index` with the seed of that number and keep it in `folder`; its bits do not depend on the rest of the pool."""
        self.begin(index)
        partial, member = partial_path(folder, index), Member(self.data, self.network.name, self.recipe, index)
        origin = {**member.text(), "engine": json.dumps(self.engine.describe())}
        curve, begun, seconds = self._continued(partial, member)
        began = time.monotonic()

        def keep(correct: Tensor) -> None:
            text = {**origin, "curve": json.dumps(curve), "seconds": str(seconds + time.monotonic() - began)}
            save_tensors(partial, {**self.trainer.state(), WITHIN: correct}, text)

        title, steps = f"pretraining {self.network.name} {index}", self.recipe.epochs * self.batches
        done = len(curve) * self.batches + self.taken(begun)
        with progress(title, steps, done=done, unit="step", work=self.work) as bar, stopping.Hold(keep) as hold:
            for epoch in range(len(curve), self.recipe.epochs):
                began = time.monotonic()
                correct = self.epoch(index, epoch, bar, hold, begun)
                begun, seconds = None, seconds + time.monotonic() - began
                self.check_finite(epoch)
                reached = 100 * int((correct == 1).sum()) / int((correct >= 0).sum())
                curve.append(Epoch(round(seconds, 3), round(reached, 2), self._held_out()))
                save_tensors(partial, self.trainer.state(), {**origin, "curve": json.dumps(curve), "seconds": str(seconds)})
                stopping.check()
        last = curve[-1]
        reached = accuracy(self.runner, self.data.train, self.data) if last.held_out is None else last.held_out
        log.info("%s: %.1f%% on %s after %s", title, reached, measured_on(self.data), clock(last.seconds))
        text = {**origin, "accuracy": str(reached), "seconds": str(last.seconds), "curve": json.dumps(curve)}
        save_tensors(folder / f"{index}.safetensors", self.network.weights(), text)
        partial.unlink(missing_ok=True)

    def _continued(self, partial: Path, member: Member) -> tuple[list[Epoch], Tensor | None, float]:
        """Take over what was left: the epochs that were taken, what a further one had found when it was stopped, the seconds of it all."""

        def check(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
            taken = len(epochs(text.get("curve", ""), partial))
            self.check(tensors, taken, str(partial))
            if "seconds" in text:  # files of earlier versions have those of the epochs alone
                number(text, "seconds", math.inf, partial)

        left = continued(partial, member, self.engine, check, "that network")
        if left is None:
            return [], None, 0.0
        tensors, text = left
        within, curve = tensors.pop(WITHIN, None), list(epochs(text["curve"], partial))
        self.trainer.restore(tensors)
        return curve, within, float(text.get("seconds", curve[-1].seconds if curve else 0))

    def check(self, tensors: Mapping[str, Tensor], taken: int, what: str) -> None:
        """Refuse what was not left by a training that was stopped after an epoch or within one.

        Args:
            tensors: The trainer's state, and `WITHIN` where an epoch was begun.
            taken: Whole epochs.
            what: What they are, for the message.

        Raises:
            UserError: If a name, a shape, a type or a value is not right.
        """
        within = {name: value for name, value in tensors.items() if name == WITHIN}
        self.trainer.check({name: value for name, value in tensors.items() if name != WITHIN}, what)
        if not 1 - len(within) <= taken <= self.recipe.epochs - len(within):
            raise UserError(f"{what} does not fit: it is after {taken} epochs, and there are only {self.recipe.epochs}")
        if within:
            check_tensors(within, {WITHIN: torch.empty(len(self.data.train), dtype=torch.int8)}, what)
            check_correct(within[WITHIN], what)
            seen = int((within[WITHIN] >= 0).sum())
            if seen % self.size or seen > self.batches * self.size:
                raise UserError(f"{what} does not fit: it has seen {seen} images, not a number of batches of {self.size}")

    def check_finite(self, epoch: int) -> None:
        """Refuse weights that are not finite after an epoch.

        Raises:
            UserError: If there are any.
        """
        if not all(bool(value.isfinite().all()) for value in self.network.weights().values()):
            raise UserError(
                f"the training of {self.network.name} diverged in epoch {epoch + 1}, so it is not kept: lower `recipe.learning_rate` "
                f"of its encoder"
            )

    def _held_out(self) -> float | None:
        return accuracy(self.runner, self.data.validation, self.data) if len(self.data.validation) else None

    def begin(self, index: int) -> None:
        """Put the weights in place that number `index` begins with."""
        self.network.reset(random.generator(index, "pretraining", "weights"))
        self.trainer.set_learning_rate(self.recipe.learning_rate, restart_momentum=True)

    def epoch(
        self,
        index: int,
        epoch: int,
        bar: Progress,
        hold: stopping.Hold,
        begun: Tensor | None = None,
        after: Callable[[int, Tensor], object] | None = None,
    ) -> Tensor:
        """Train one epoch; which images were classified correctly, each before the step of its batch.

        Args:
            index: The network's number.
            epoch: From 0.
            bar: Counts the steps.
            hold: Takes what this returns so far, where a signal asks to stop.
            begun: What it took then, for the rest of that epoch.
            after: Called after every step with the number of steps taken in all and with what this returns so far.

        Returns:
            int8 ``image``: 1 for correctly, 0 for wrongly, -1 for the remainder that fills no batch.
        """
        order = torch.randperm(len(self.data.train), generator=random.generator(index, "pretraining", "order", epoch))
        found = torch.full((len(self.data.train),), -1, dtype=torch.int8) if begun is None else begun
        correct, seen = int((found == 1).sum()), int((found >= 0).sum())
        for batch in range(self.taken(begun), self.batches):
            step = epoch * self.batches + batch
            rows = order[batch * self.size :][: self.size]
            self.trainer.set_learning_rate(self.recipe.rate(step, self.recipe.epochs * self.batches))
            loss, hits = self._step(rows, index, step, half=epoch < self.halved)
            found[rows] = self.trainer.correct.cpu().to(torch.int8)
            correct, seen = correct + hits, seen + len(rows)
            bar.advance(f"loss {loss:.3f} accuracy {100 * correct / seen:.1f}%")
            if after:
                after(step + 1, found)
            hold.stepped(found)
        return found

    def _step(self, rows: Tensor, index: int, step: int, *, half: bool) -> tuple[float, int]:
        images, labels = _batch(self.data, rows, self.recipe, index, step)
        images = F.avg_pool2d(images, 2) if half else images
        return self.trainer.step(images.to(self.engine.device), labels.to(self.engine.device))

    def taken(self, begun: Tensor | None) -> int:
        """Steps that an epoch had taken when it was stopped; 0 for None."""
        return 0 if begun is None else int((begun >= 0).sum()) // self.size


def _batch(data: DataSet, rows: Tensor, recipe: TrainingRecipe, seed: int, step: int) -> tuple[Tensor, Tensor]:
    images = data.normalise(data.train.gather(rows))
    if recipe.augment:
        generator = random.generator(seed, "pretraining", "augmentation", step)
        if recipe.augmentation == SHIFT:
            images = flip_and_shift(images, flip=data.flip, generator=generator)
        else:
            images = training(recipe.augmentation, flip=data.flip).batch(images, generator)
    return images, data.train.labels[rows]
