"""Snapshots of training runs on the real images, kept in the cache: one file for each run."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from datastill import stopping
from datastill.configuration import describe, whole
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import check_tensors, load_tensors, locked, remove_leftovers, save_tensors
from datastill.logs import logger
from datastill.networks import build
from datastill.progress import clock, progress
from datastill.teachers.pool import bytes_of_run, continuing, moments_of, pool_folder, pretraining_cost, steps_of_epoch
from datastill.teachers.pretraining import WITHIN, Pretraining
from datastill.teachers.recipe import TrainingRecipe
from datastill.teachers.snapshots import TYPES, Snapshots
from datastill.teachers.stored import AGAIN, Member, as_begun, check_correct, continued, decoded, number
from datastill.text import counted

log = logger(__name__)

MOST_BYTES = 2**29
"""Bytes that the snapshots of all runs of a recipe may take."""
MOST_BYTES_OF_EXPERTS = 2**34
"""The same where a method follows training epoch by epoch: the hundred runs of 41 epochs published for TinyImageNet take 15 GB."""


@dataclass(frozen=True)
class Trajectory:
    """One training run in the cache.

    Attributes:
        path: Its file.
        epochs: After how many epochs each snapshot was taken, in order, from 0.
        accuracies: Share in [0, 1] of the epoch's images so far that were classified right, each before its step; 0 for the first weights.
        seconds: How long the training took.
        snapshots: The weights of each, by name, on the CPU, in the numbers that they are kept in.
    """

    path: Path
    epochs: tuple[float, ...]
    accuracies: tuple[float, ...]
    seconds: float
    snapshots: tuple[Mapping[str, Tensor], ...] = field(compare=False, repr=False)

    def only(self, places: Sequence[int], share: float) -> Trajectory:
        """Some of its snapshots, by their places, for a share of its time."""
        epochs, accuracies = (tuple(each[place] for place in places) for each in (self.epochs, self.accuracies))
        return Trajectory(self.path, epochs, accuracies, share * self.seconds, tuple(self.snapshots[place] for place in places))


def trajectories(
    data: DataSet,
    network: str,
    count: int,
    recipe: TrainingRecipe,
    snapshots: Snapshots,
    engine: Engine,
    *,
    cache: Path | None = None,
    most: int = MOST_BYTES,
) -> list[Trajectory]:
    """Train what is missing of some runs and read them all; each is checkpointed every epoch and continued with the same bits after a kill.

    A longer run that takes the same steps is read as far as it is needed (see `TrainingRecipe.extended`); like everything in the cache, it
    may have been computed in another precision.
    Where another process trains one of them, this one waits, saying so, and takes it from there.

    Args:
        data: The images; trained on its training split.
        network: A name of `datastill.networks.NETWORKS`.
        count: Runs; number i has the seed i.
        recipe: How they are trained.
        snapshots: What is kept of them.
        engine: How to run.
        cache: The folder that they are looked for and kept in; by default the user's cache.
        most: Bytes that the snapshots of all runs may take.

    Returns:
        The runs, in order.

    Raises:
        UserError: If the count is below 1, the snapshots would take more than `most`, one cannot be read, or nothing can be written.
    """
    count = whole("count", count, least=1)
    check_size(data, network, count, recipe, snapshots, most)
    runs = [_Run(data, network, recipe, snapshots, index, cache) for index in range(count)]
    pretraining: Pretraining | None = None
    for run in runs:
        if run.exists():
            continue
        with locked(run.path, f"training run {run.index} in {run.path}", wait=True):
            if run.exists():  # another process trained it meanwhile
                continue
            remove_leftovers(run.path.parent)
            if pretraining is None:
                model = build(network, channels=data.channels, classes=data.classes, size=data.size)
                engine = as_begun(engine.suited(pretraining_cost(data, model, recipe)), [each.partial for each in runs])
                pretraining = Pretraining(data, engine.place(model), recipe, engine)
                missing = sum(not each.exists() for each in runs)
                log.info(
                    "training %d %s for %s on %s, with snapshots; kept in %s",
                    missing, network, counted(recipe.epochs, "epoch"), data.name, run.path.parent,
                )  # fmt: skip
            run.train(pretraining)
    return [run.read() for run in runs]


def kept(
    data: DataSet, network: str, count: int, recipe: TrainingRecipe, snapshots: Snapshots, *, cache: Path | None = None
) -> list[Trajectory]:
    """What is there of some runs, in order (see `trajectories`)."""
    runs = [_Run(data, network, recipe, snapshots, index, cache) for index in range(count)]
    return [run.read() for run in runs if run.exists()]


def check_size(
    data: DataSet,
    network: str,
    count: int,
    recipe: TrainingRecipe,
    snapshots: Snapshots,
    most: int = MOST_BYTES,
    fewer: str = "a smaller `count`, a larger `snapshots.every`, or fewer epochs of the recipe",
) -> None:
    """Refuse snapshots that would take too much of the disk and of memory.

    Args:
        data: What runs are trained on.
        network: A name of `datastill.networks.NETWORKS`.
        count: Runs.
        recipe: How they are trained.
        snapshots: What is kept of them.
        most: Bytes that all of them may take.
        fewer: What to use to have fewer of them, for the message.

    Raises:
        UserError: If they would take more than `most`.
    """
    total = count * bytes_of_run(data, network, recipe, snapshots)
    if total > most:
        raise UserError(
            f"{count} runs of {network} with {len(moments_of(data, recipe, snapshots))} snapshots each would take {total / 1e6:,.0f} MB, "
            f"more than {most / 1e6:,.0f}: use {fewer}"
        )


class _Run:
    """One run: where it is kept, how it is trained and read."""

    def __init__(self, data: DataSet, network: str, recipe: TrainingRecipe, snapshots: Snapshots, index: int, cache: Path | None) -> None:
        self.member, self.index, self.kept = Member(data, network, recipe, index), index, snapshots
        self.path, self.cache = pool_folder(data, network, recipe, cache) / f"trajectory-{snapshots.key()}-{index}.safetensors", cache
        self.partial = self.path.with_name(f"{self.path.stem}.partial.safetensors")
        self.moments = moments_of(data, recipe, snapshots)

    def exists(self) -> bool:
        """Whether it need not be trained."""
        return self.path.exists() or self._longer() is not None

    def _longer(self) -> _Run | None:
        """A longer run that begins with this one, snapshots included."""
        data, network = self.member.data, self.member.network
        for recipe in continuing(data, network, self.member.recipe, self.cache):
            run = _Run(data, network, recipe, self.kept, self.index, self.cache)
            if run.path.exists() and {*self.moments} <= {*run.moments}:
                return run
        return None

    def text(self) -> dict[str, str]:
        """What its file says of its origin."""
        return {**self.member.text(), "snapshots": json.dumps(describe(self.kept))}

    def train(self, pretraining: Pretraining) -> None:
        """Train it, or continue what was left of it, and keep it."""
        pretraining.begin(self.index)
        partial = self.partial
        origin = {**self.text(), "engine": json.dumps(pretraining.engine.describe())}
        found, accuracies, taken, begun, seconds = self._continued(partial, pretraining)
        network, trainer, steps = pretraining.network, pretraining.trainer, self.member.recipe.epochs * pretraining.batches

        def take(step: int, correct: Tensor | None) -> None:
            if step in self.moments:
                found.update({f"{step}/{name}": self._rounded(name, value) for name, value in network.weights().items()})
                accuracies.append(0.0 if correct is None else int((correct == 1).sum()) / int((correct >= 0).sum()))

        def save(epoch: int, within: Mapping[str, Tensor], spent: float) -> None:
            text = {**origin, "epoch": str(epoch), "accuracies": json.dumps(accuracies), "seconds": str(spent)}
            save_tensors(partial, {**{f"state/{name}": value for name, value in trainer.state().items()}, **found, **within}, text)

        def keep(correct: Tensor) -> None:
            save(taken, {WITHIN: correct}, seconds + time.monotonic() - began)

        began = time.monotonic()
        if not found:
            take(0, None)
        title, done = f"training run {self.index} of {network.name}", taken * pretraining.batches + pretraining.taken(begun)
        with progress(title, steps, done=done, unit="step", work=pretraining.work) as bar, stopping.Hold(keep) as hold:
            for epoch in range(taken, self.member.recipe.epochs):
                began = time.monotonic()
                pretraining.epoch(self.index, epoch, bar, hold, begun, take)
                taken, begun, seconds = epoch + 1, None, seconds + time.monotonic() - began
                pretraining.check_finite(epoch)
                save(taken, {}, seconds)
                stopping.check()
        log.info("%s: %.1f%% of the last epoch's images after %s", title, 100 * accuracies[-1], clock(seconds))
        save_tensors(self.path, found, {**origin, "accuracies": json.dumps(accuracies), "seconds": str(seconds)})
        partial.unlink(missing_ok=True)

    def read(self) -> Trajectory:
        """Read its file, or the beginning of a longer run.

        Raises:
            UserError: If it is damaged, or of another origin.
        """
        if not self.path.exists() and (longer := self._longer()):
            places = [longer.moments.index(step) for step in self.moments]
            return longer.read().only(places, self.member.recipe.epochs / longer.member.recipe.epochs)
        try:
            tensors, text = load_tensors(self.path)
            self._check(text, self.path)
            check_tensors(tensors, self._expected(self.moments), str(self.path))
            accuracies = self._accuracies(text, self.path, len(self.moments))
            seconds = number(text, "seconds", math.inf, self.path)
        except UserError as error:
            raise UserError(f"{error}: {AGAIN}") from error
        names = self.member.weights()
        snapshots = tuple({name: tensors[f"{step}/{name}"] for name in names} for step in self.moments)
        steps = steps_of_epoch(self.member.data, self.member.recipe)
        return Trajectory(self.path, tuple(step / steps for step in self.moments), tuple(accuracies), seconds, snapshots)

    def _rounded(self, name: str, value: Tensor) -> Tensor:
        rounded = value.detach().cpu().to(TYPES[self.kept.type], copy=True)
        if not bool(rounded.isfinite().all()):
            raise UserError(
                f"the weights '{name}' of training run {self.index} of {self.member.network} are not finite as {self.kept.type}: lower "
                f"`recipe.learning_rate` of its encoder, or use `snapshots.type=float32`"
            )
        return rounded

    def _expected(self, moments: tuple[int, ...]) -> dict[str, Tensor]:
        kind = TYPES[self.kept.type]
        return {f"{step}/{name}": value.to(kind) for step in moments for name, value in self.member.weights().items()}

    def _check(self, text: Mapping[str, str], path: Path) -> None:
        self.member.check(text, path)
        if decoded(text.get("snapshots", "null"), path) != describe(self.kept):
            raise UserError(f"{path} holds other snapshots: {text.get('snapshots', 'none are named')[:80]}")

    def _accuracies(self, text: Mapping[str, str], path: Path, count: int) -> list[float]:
        values = decoded(text.get("accuracies", "null"), path)
        if (
            not isinstance(values, list)
            or len(values) != count
            or not all(type(each) in (int, float) and 0 <= each <= 1 for each in values)
        ):
            raise UserError(f"{path} is damaged: expected {count} accuracies from 0 to 1, got {str(values)[:60]}")
        return [float(value) for value in values]

    def _continued(self, partial: Path, pretraining: Pretraining) -> tuple[dict[str, Tensor], list[float], int, Tensor | None, float]:
        """Take over what was left: snapshots, accuracies, whole epochs, what a further one had found, the seconds of it all."""

        def split(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
            own = {name.removeprefix("state/"): value for name, value in tensors.items() if name.startswith("state/") or name == WITHIN}
            return own, {name: value for name, value in tensors.items() if not name.startswith("state/") and name != WITHIN}

        def check(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
            self._check(text, partial)
            own, found = split(tensors)
            taken = int(number(text, "epoch", self.member.recipe.epochs, partial))
            pretraining.check(own, taken, str(partial))
            if WITHIN in own:
                check_correct(own[WITHIN], str(partial))
            done = taken * pretraining.batches + pretraining.taken(own.get(WITHIN))
            past = tuple(step for step in self.moments if step <= done)
            check_tensors(found, self._expected(past), str(partial))
            self._accuracies(text, partial, len(past))
            number(text, "seconds", math.inf, partial)

        left = continued(partial, self.member, pretraining.engine, check, "that run")
        if left is None:
            return {}, [], 0, None, 0.0
        tensors, text = left
        own, found = split(tensors)
        within = own.pop(WITHIN, None)
        pretraining.trainer.restore(own)
        return found, json.loads(text["accuracies"]), int(text["epoch"]), within, float(text["seconds"])
