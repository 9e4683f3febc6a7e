"""The files of networks trained on real images: what they say of their origin, and how they are read back."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from datastill.configuration import describe
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import check_tensors, load_tensors
from datastill.logs import logger
from datastill.networks import build
from datastill.teachers.recipe import TrainingRecipe

log = logger(__name__)

AGAIN = "remove it to have it trained again"


class Epoch(NamedTuple):
    """What a network had reached after an epoch.

    Attributes:
        seconds: Wall time of training so far, without measuring.
        accuracy: Top-1 in percent on the epoch's own augmented batches, before each step.
        held_out: Top-1 in percent on the validation split; None where nothing is held out, and in files of earlier versions.
    """

    seconds: float
    accuracy: float
    held_out: float | None = None


@dataclass(frozen=True)
class PretrainedNetwork:
    """A network in the cache.

    Attributes:
        path: Its file.
        accuracy: Top-1 on the validation split, in percent; of the training split where nothing is held out.
        seconds: How long its training took.
        curve: What it had reached after every epoch.
        weights: By name, as in `datastill.networks.Network.weights`, float32 on the CPU.
    """

    path: Path
    accuracy: float
    seconds: float
    curve: tuple[Epoch, ...] = ()
    weights: Mapping[str, Tensor] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Member:
    """One network of a pool: what its file must be of.

    Attributes:
        data: The images that it is trained on.
        network: A name of `datastill.networks.NETWORKS`.
        recipe: How it is trained.
        index: Its number in the pool, which is its seed.
    """

    data: DataSet
    network: str
    recipe: TrainingRecipe
    index: int = 0

    def text(self) -> dict[str, str]:
        """What its file says of its origin."""
        return {"data": self.data.name, **{key: json.dumps(value) if key in PARSED else value for key, value in self._origin().items()}}

    def weights(self) -> dict[str, Tensor]:
        """Tensors with the names, shapes and types of its weights, without values."""
        with torch.device("meta"):
            return build(self.network, channels=self.data.channels, classes=self.data.classes, size=self.data.size).weights()

    def check(self, text: Mapping[str, str], path: Path) -> None:
        """Refuse a file of another origin; one of an earlier version, which says less, is told.

        Raises:
            UserError: If it says that it is of other data, or another network, recipe or seed.
        """
        origin = self._origin()
        for key in origin.keys() & text.keys():
            found = decoded(text[key], path) if key in PARSED else text[key]
            if found != origin[key]:
                raise UserError(f"{path} belongs to another network: its {key} is {str(found)[:80]}, not {str(origin[key])[:80]}")
        if missing := [key for key in sorted(origin) if key not in text and key not in LATER]:
            log.warning("%s was written by an earlier version: it does not say its %s", path, ", ".join(missing))

    def read(self, path: Path) -> PretrainedNetwork:
        """Read its file.

        Raises:
            UserError: If the file is damaged, of another origin, or not exactly a network of this kind.
        """
        try:
            weights, text = load_tensors(path)
            self.check(text, path)
            check_tensors(weights, self.weights(), str(path))
            curve = epochs(text.get("curve", "[]"), path)
            return PretrainedNetwork(path, number(text, "accuracy", 100, path), number(text, "seconds", math.inf, path), curve, weights)
        except UserError as error:
            raise UserError(f"{error}: {AGAIN}") from error

    def _origin(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "fingerprint": self.data.fingerprint,
            "normalisation": [*map(list, self.data.normalisation.key), self.data.flip],
            "recipe": describe(self.recipe),
            "seed": str(self.index),
        }


PARSED = ("normalisation", "recipe")
"""What is JSON in the text of a file."""
LATER = ("normalisation",)
"""What files of earlier versions say by the name of their folder alone."""


def decoded(text: str, path: Path) -> Any:
    """A value out of the text of a file.

    Raises:
        UserError: If it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: expected JSON in its text, got {text[:60]!r}") from error


def epochs(text: str, path: Path) -> tuple[Epoch, ...]:
    """The curve in the text of a file.

    Raises:
        UserError: If it is not a list of epochs, or a number in it is not possible.
    """
    try:
        curve = TypeAdapter(tuple[Epoch, ...]).validate_json(text)
    except ValidationError as error:
        raise UserError(f"{path} is damaged: expected what was reached after every epoch, got {text[:60]!r}") from error
    for epoch in curve:
        reached = (epoch.accuracy, epoch.accuracy if epoch.held_out is None else epoch.held_out)
        if not 0 <= epoch.seconds < math.inf or not all(0 <= value <= 100 for value in reached):
            raise UserError(f"{path} is damaged: an epoch cannot have taken {epoch.seconds} s and reached {reached[0]}% and {reached[1]}%")
    return curve


def number(text: Mapping[str, str], key: str, most: float, path: Path) -> float:
    """A number in the text of a file.

    Raises:
        UserError: If there is none, or it is not from 0 to `most`, or not finite.
    """
    try:
        value = float(text[key])
    except (KeyError, ValueError):
        value = math.nan
    if not 0 <= value <= most or not math.isfinite(value):
        raise UserError(f"{path} is damaged: expected the {key} as a number from 0 on, got {text.get(key, 'nothing')[:60]!r}")
    return value


def check_correct(values: Tensor, what: str) -> None:
    """Refuse what does not say of images whether they were classified correctly.

    Args:
        values: int8, of any shape.
        what: What they are of, for the message.

    Raises:
        UserError: If one is not 1, 0 or -1.
    """
    if values.numel() and not -1 <= int(values.min()) <= int(values.max()) <= 1:
        raise UserError(f"{what} does not fit: expected 1, 0 and -1 only, got {int(values.min())} to {int(values.max())}")


def as_begun(engine: Engine, partials: Iterable[Path]) -> Engine:
    """The engine for trainings of which some may have been begun: what was left open is chosen as the first of them recorded it.

    Args:
        engine: As it would be chosen now.
        partials: Files of what was left, where there is any.
    """
    for partial in partials:
        if partial.exists():
            with contextlib.suppress(UserError):  # what is damaged is told where it is continued
                recorded = decoded(load_tensors(partial)[1].get("engine", "null"), partial)
                if isinstance(recorded, dict):
                    return engine.as_recorded(recorded)
    return engine


def continued(
    partial: Path, member: Member, engine: Engine, check: Callable[[dict[str, Tensor], dict[str, str]], None], what: str
) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """What was left of a training; None where there is nothing, or nothing to continue with, which is told in one line.

    Args:
        partial: The file.
        member: What it must be of.
        engine: How it must have been run.
        check: Refuses tensors and text that do not fit.
        what: What starts again, in words, for the message.
    """
    if not partial.exists():
        return None
    try:
        tensors, text = load_tensors(partial)
        if text.get("engine") != json.dumps(engine.describe()):
            raise UserError(f"{partial} was started with another precision or compilation")
        member.check(text, partial)
        check(tensors, text)
    except UserError as error:
        log.warning("%s; %s starts again", error, what)
        return None
    return tensors, text
