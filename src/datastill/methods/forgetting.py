"""Forgetting: real images that training loses again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import unknown
from datastill.files import checksum
from datastill.functional import forgetting_counts
from datastill.kinds import Selection
from datastill.networks import build
from datastill.setting import Setting
from datastill.teachers.history import history_path, history_seconds, training_history
from datastill.teachers.missing import Untrained
from datastill.teachers.recipe import RECIPES, TrainingRecipe

NEVER_LEARNED = {"infinitely": math.inf, "never": 0.0}
"""How often images that were never classified correctly count as forgotten."""


@dataclass(frozen=True)
class Forgetting(Selection):
    """The images that a network in training forgot most often; ties are broken at random.

    Attributes:
        network: A name of `datastill.networks.NETWORKS`.
        recipe: How it is trained; more epochs distinguish more images.
        never_learned: How often images that were never classified correctly count as forgotten: "infinitely" in the paper, "never" in one
            implementation.
    """

    network: str = "convnet"
    recipe: TrainingRecipe = field(default_factory=lambda: RECIPES["paper"])
    never_learned: str = "infinitely"

    def __post_init__(self) -> None:
        if self.never_learned not in NEVER_LEARNED:
            raise unknown(f"never_learned of {self.name}:", self.never_learned, NEVER_LEARNED)

    def check(self, data: DataSet, ipc: int) -> None:
        """Also refuse an unknown network (see `Method.check`)."""
        super().check(data, ipc)
        build(self.network, channels=data.channels, classes=data.classes, size=data.size)

    def choose(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Tensor:
        """Take the first of every class in descending order (see `Selection.choose`)."""
        history = training_history(data, self.network, self.recipe, engine)
        counts = forgetting_counts(history, never_learned=NEVER_LEARNED[self.never_learned])
        return torch.stack([_most(counts, self._draw(data, label, seed), ipc) for label in range(data.classes)])

    def networks_used(self, data: DataSet, engine: Engine) -> dict[str, str]:
        """The history of the network's training (see `Selection.networks_used`)."""
        return {"pretrained history": checksum({"history": training_history(data, self.network, self.recipe, engine)})}

    def pretraining_seconds(self, data: DataSet) -> float:
        """Seconds of the recorded training, if it is in the cache (see `Method.pretraining_seconds`)."""
        return history_seconds(data, self.network, self.recipe)

    def missing(self, data: DataSet) -> tuple[Untrained, ...]:
        """The network whose training is recorded, if it is not in the cache (see `Method.missing`)."""
        path = history_path(data, self.network, self.recipe)
        return () if path.exists() else (Untrained(self.network, 1, self.recipe, path.parent),)

    def _draw(self, data: DataSet, label: int, seed: int) -> Tensor:
        return data.train.draw(label, data.train.counts[label], random.generator(seed, label, "equally often forgotten"))


def _most(counts: Tensor, positions: Tensor, count: int) -> Tensor:
    """Those of some positions with the largest counts; of equal ones the first."""
    return positions[counts[positions].argsort(descending=True, stable=True)[:count]]


def forgetting(setting: Setting) -> Forgetting:
    """Choose the real images of every class that a network in training forgot most often.

    ``n_i = #{t: correct_i(t), not correct_i(t + 1)}``, t over the epochs in which image i was seen, infinite if it never was correct
    (``never_learned``); the IPC largest of every class. The network is a ConvNet (``network``, ``recipe``); its predictions are those it
    makes of its batches in training.

    Args:
        setting: With the preset "fast" the network is trained for four epochs, in which few counts differ, instead of thirty.

    Reference:
        Toneva et al.: An Empirical Study of Example Forgetting during Deep Neural Network Learning, ICLR 2019, arXiv:1812.05159.
    """
    return Forgetting(name="forgetting", recipe=RECIPES["fast" if setting.quick else "paper"])
