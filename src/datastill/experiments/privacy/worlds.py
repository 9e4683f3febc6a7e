"""Which images every set is made from, with which labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from datastill import random
from datastill.configuration import whole
from datastill.data import ClassImages, DataSet
from datastill.data.images import fingerprint
from datastill.errors import UserError

LEAST_MODELS = 8
"""Sets, so that the likelihood ratio of one network has three others with every image and three without it."""


@dataclass(frozen=True, eq=False)
class Worlds:
    """A pool of training images, and halves of what is attacked in it.

    Sets come in pairs: the images that one of a pair is made from are those that the other is not, so every image is in half of the sets.

    Attributes:
        data: The data set.
        pool: Training images, the same share of every class; 0 for all.
        audit: How many images of the pool are attacked, all under a wrong label; the others are in every set. 0 attacks all images of the
            pool, which keep their labels, and a set is made from half of them.
        models: How many sets, an even number of at least 8.
        seed: Of all draws.

    Raises:
        UserError: If there are fewer images, or another number of sets.
    """

    data: DataSet
    pool: int
    audit: int
    models: int
    seed: int

    def __post_init__(self) -> None:
        models = whole("models", self.models, least=LEAST_MODELS)
        if models % 2:
            raise UserError(
                f"sets come in pairs, one of which has the images that the other has not: got `models={models}`, use an even one"
            )
        train = self.data.train
        pool = whole("pool", self.pool, least=0, most=len(train)) or len(train)
        whole("audit", self.audit, least=0, most=pool)
        if min(train.counts) * pool // len(train) < 4:
            raise UserError(f"an attack needs at least 4 images of every class in the pool, got `pool={self.pool}` of {self.data.name}")

    @cached_property
    def positions(self) -> Tensor:
        """The images of the pool, by position in the training split."""
        train = self.data.train
        share = (self.pool or len(train)) / len(train)
        drawn = [
            train.draw(label, max(1, round(share * count)), random.generator(self.seed, label, "pool of an attack"))
            for label, count in enumerate(train.counts)
        ]
        return torch.cat(drawn)

    @cached_property
    def attacked(self) -> Tensor:
        """Which images of the pool are attacked, by their place in it."""
        count = len(self.positions)
        if not self.audit:
            return torch.arange(count)
        return torch.randperm(count, generator=random.generator(self.seed, "audit"))[: self.audit].sort().values

    @cached_property
    def labels(self) -> Tensor:
        """The labels of the pool; those of an audit are another class each."""
        labels = self.data.train.labels[self.positions].clone()
        if self.audit:
            shifts = torch.randint(1, self.data.classes, (len(self.attacked),), generator=random.generator(self.seed, "wrong labels"))
            labels[self.attacked] = (labels[self.attacked] + shifts) % self.data.classes
        return labels

    def members(self, model: int) -> Tensor:
        """Which of the images that are attacked a set is made from, bool."""
        chosen = torch.zeros(len(self.attacked), dtype=torch.bool)
        order = torch.randperm(len(self.attacked), generator=random.generator(self.seed, model // 2, "members"))
        chosen[order[: len(order) // 2]] = True
        return chosen if model % 2 == 0 else ~chosen

    def read(self, model: int) -> DataSet:
        """What a set is made from: its members, and the images that are not attacked."""
        kept = torch.ones(len(self.positions), dtype=torch.bool)
        kept[self.attacked] = self.members(model)
        labels, positions = self.labels[kept], self.positions[kept]
        rows = self.data.train.rows[positions[labels.argsort(stable=True)]]
        counts = tuple(labels.bincount(minlength=self.data.classes).tolist())
        train = ClassImages(self.data.train.storage, rows, counts, self.data.train.sources)
        return replace(self.data, train=train, fingerprint=fingerprint(train, self.data.class_names))
