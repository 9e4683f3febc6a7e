from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from datastill.data import ClassImages, DataSet
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


class Gathered(ClassImages):
    """Remembers the positions of the images that are asked for."""

    def gather(self, positions: Tensor) -> Tensor:
        GATHERED.append(positions)
        return super().gather(positions)


GATHERED: list[Tensor] = []


def watched(data: DataSet) -> DataSet:
    GATHERED.clear()
    return replace(data, train=Gathered(data.train.storage, data.train.rows, data.train.counts))


def taken() -> Tensor:
    """The positions since the last time."""
    positions = torch.cat(GATHERED)
    GATHERED.clear()
    return positions


def test_the_real_batch_is_a_function_of_seed_iteration_and_class(tiny: DataSet, memory: Callable[..., None]) -> None:
    data = watched(tiny)
    stepper = opened(small("dm"), data)
    taken()
    found = []
    for iteration in range(3):
        stepper.step(iteration)
        found.append(taken().view(3, 7))
    for rows in found:
        assert [set((row // 12).tolist()) for row in rows] == [{0}, {1}, {2}]
        assert all(len(set(row.tolist())) == 7 for row in rows), "an image twice"
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0][0], found[0][1] - 12)

    memory(images=1)
    jumping = opened(small("dm+cm"), data)  # class after class, later iterations first, with another term: the same images
    taken()
    for iteration in (2, 0):
        jumping.step(iteration)
        assert torch.equal(taken().view(3, 7), found[iteration])
    other = opened(small("dm"), data, seed=1)
    taken()
    other.step(0)
    assert not torch.equal(taken().view(3, 7), found[0])


def test_a_real_batch_is_no_larger_than_the_largest_class(tiny: DataSet) -> None:
    stepper = opened(replace(small("dm"), real_batch=1000), watched(tiny))
    taken()
    stepper.step(0)
    assert sorted(taken().tolist()) == list(range(36))
