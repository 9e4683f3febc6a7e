from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from datastill.data import ClassImages, DataSet
from datastill.kinds.distribution_matching import stepper as matching
from small_methods import opened, small


def test_what_was_gathered_ahead_changes_nothing(tiny: DataSet) -> None:
    ahead, plain_ = opened(small("dm+cm"), tiny), opened(small("dm+cm"), tiny)
    for iteration in range(3):
        ahead.batches.look_ahead(iteration, ahead.chunks[0].tolist())  # as a GPU's steps do
        assert ahead.step(iteration) == plain_.step(iteration)
        assert not ahead.batches.ahead
    ahead.batches.look_ahead(7, ahead.chunks[0].tolist())  # of another iteration: left alone
    assert ahead.step(3) == plain_.step(3)
    assert torch.equal(ahead.images(), plain_.images())


class Gathered:
    """Remembers the positions of the real images that are asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.positions: list[Tensor] = []
        gather: Callable[[ClassImages, Tensor], Tensor] = ClassImages.gather

        def remembered(images: ClassImages, indices: Tensor) -> Tensor:
            self.positions.append(indices)
            return gather(images, indices)

        monkeypatch.setattr(ClassImages, "gather", remembered)

    def take(self) -> Tensor:
        taken = torch.cat(self.positions)
        self.positions.clear()
        return taken


def test_the_real_batch_is_a_function_of_seed_iteration_and_class(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    gathered = Gathered(monkeypatch)
    stepper = opened(small("dm"), tiny)
    gathered.take()
    found = []
    for iteration in range(3):
        stepper.step(iteration)
        found.append(gathered.take().view(3, 7))
    for rows in found:
        assert [set((row // 12).tolist()) for row in rows] == [{0}, {1}, {2}]
        assert all(len(set(row.tolist())) == 7 for row in rows), "an image twice"
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0][0], found[0][1] - 12)

    monkeypatch.setattr(matching, "CHUNK", 1)
    jumping = opened(small("dm+cm"), tiny)  # class after class, later iterations first, with another term: the same images
    gathered.take()
    for iteration in (2, 0):
        jumping.step(iteration)
        assert torch.equal(gathered.take().view(3, 7), found[iteration])
    other = opened(small("dm"), tiny, seed=1)
    gathered.take()
    other.step(0)
    assert not torch.equal(gathered.take().view(3, 7), found[0])


def test_a_real_batch_is_no_larger_than_the_largest_class(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = opened(replace(small("dm"), real_batch=1000), tiny)
    gathered = Gathered(monkeypatch)
    stepper.step(0)
    assert sorted(gathered.take().tolist()) == list(range(36))
