"""How a network is trained on the real images before it serves as a teacher."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace

from datastill.augment import AUGMENTATIONS
from datastill.configuration import added_later, check_fields, describe
from datastill.errors import UserError, unknown

SHIFT = "shift"
"""The augmentation of networks on real images where nothing else is said: mirror and shift."""


@dataclass(frozen=True)
class TrainingRecipe:
    """How a network is pretrained.

    Attributes:
        schedule: "one-cycle" rises to the learning rate over the first quarter and falls linearly to zero; "constant" keeps it.
        epochs: Passes over the training split.
        learning_rate: The peak.
        batch: Images per step.
        momentum: Of SGD.
        weight_decay: Of SGD.
        augment: Whether images are augmented.
        augmentation: How: "shift" mirrors (where the data set allows it) and shifts by up to an eighth of the side; others are the names
            that `datastill.augment.training` takes, drawn for every image.
        half_size: Share of the epochs, the first ones and never the last, that see images of half the side, at a quarter of the cost. Only
            for networks with a global pool and images of at least 32x32 pixels.
        sharpness: Radius rho of sharpness-aware training: a step has the gradient where the weights are moved this far uphill, at about
            twice the cost. 0 for plain steps.
        gap: Factor alpha of GSAM, with `sharpness` alone: how much of the plain gradient's part across that one is stepped uphill, which
            narrows the gap between both losses.

    Reference:
        Zhuang et al.: Surrogate Gap Minimization Improves Sharpness-Aware Training, ICLR 2022, arXiv:2203.08065, Algorithm 1, with a
        constant radius.
    """

    schedule: str = "one-cycle"
    epochs: int = 4
    learning_rate: float = 0.05
    batch: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augment: bool = True
    half_size: float = 0.75
    sharpness: float = added_later(0.0)
    gap: float = added_later(0.0)
    augmentation: str = added_later(SHIFT)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.schedule not in ("one-cycle", "constant"):
            raise UserError(f"unknown schedule '{self.schedule}'; expected one-cycle or constant")
        if self.epochs < 1 or self.batch < 1 or not 0 < self.learning_rate < math.inf:
            raise UserError(
                f"pretraining needs epochs, batch and learning rate above 0, got {self.epochs}, {self.batch}, {self.learning_rate}"
            )
        if not 0 <= self.momentum < 1 or not 0 <= self.weight_decay < math.inf or not 0 <= self.half_size <= 1:
            raise UserError(
                f"pretraining needs a momentum in [0, 1), a weight decay of at least 0 and a half_size in [0, 1], "
                f"got {self.momentum}, {self.weight_decay}, {self.half_size}"
            )
        if not 0 <= self.sharpness < math.inf or not 0 <= self.gap < math.inf or (self.gap and not self.sharpness):
            raise UserError(
                f"pretraining needs a sharpness and a gap of at least 0, and a sharpness above 0 for a gap, "
                f"got {self.sharpness} and {self.gap}"
            )

        if self.augmentation not in (SHIFT, *AUGMENTATIONS):
            raise unknown("augmentation", self.augmentation, (SHIFT, *AUGMENTATIONS))
        if not self.augment and self.augmentation != SHIFT:
            raise UserError(f"a recipe with the augmentation '{self.augmentation}' must augment: use `augment=true`")

    @classmethod
    def named(cls, name: str) -> TrainingRecipe:
        """Find a recipe of `RECIPES` by its name, as a setting gives it."""
        return recipe(name)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, given the total number."""
        if self.schedule == "constant":
            return self.learning_rate
        peak = max(1, steps // 4)
        share = (step + 1) / peak if step < peak else (steps - step) / max(1, steps - peak)
        return self.learning_rate * share

    def extended(self, epochs: int) -> TrainingRecipe | None:
        """The same for more epochs, if it takes the same steps until the end of this one, up to rounding; None if it does not."""
        same = self.schedule == "constant" and not self.half_size and epochs > self.epochs
        return replace(self, epochs=epochs) if same else None

    def key(self) -> str:
        """A short hash of every field that `describe` describes."""
        return hashlib.blake2b(json.dumps(describe(self), sort_keys=True).encode(), digest_size=4).hexdigest()


RECIPES = {
    "fast": TrainingRecipe(),
    "paper": TrainingRecipe(schedule="constant", epochs=30, learning_rate=0.01, batch=256, augment=False, half_size=0),
    "trajectory": TrainingRecipe(schedule="constant", epochs=10, learning_rate=0.01, batch=256, augment=False, half_size=0),
}
"""Named recipes: "paper" is what the IID paper states, "fast" reaches a useful network in few epochs, "trajectory" is for snapshots on the
way: the rate, batch and lack of augmentation that IDM trains its queue with."""


def recipe(name: str) -> TrainingRecipe:
    """Find a recipe by name."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]
