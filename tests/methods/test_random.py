from __future__ import annotations

import torch

import datastill
from datastill import random
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.evaluation.evaluate import random_subset
from datastill.methods import method


def test_it_is_a_draw_of_the_seed(tiny: DataSet) -> None:
    stepper = method("random").open(tiny, Engine(), 4, 5)
    stepper.step(0)
    rows = stepper.state()["positions"]
    for label in range(3):
        expected = torch.randperm(12, generator=random.generator(5, label, "random subset"))[:4] + 12 * label
        assert torch.equal(rows[label], expected)


def test_it_is_the_random_subset_that_an_evaluation_of_the_same_seed_compares_with(tiny: DataSet) -> None:
    distilled = datastill.distill(tiny, method="random", ipc=4, seed=5, engine=Engine())
    images, labels = random_subset(tiny, distilled.labels, 5)
    assert torch.equal(distilled.images, images)
    assert torch.equal(distilled.labels, labels)


def test_seeds_differ_and_a_larger_set_begins_with_the_smaller_one(tiny: DataSet) -> None:
    one, other, more = (
        datastill.distill(tiny, method="random", ipc=ipc, seed=seed, engine=Engine()).images.unflatten(0, (3, -1))  # type: ignore[no-untyped-call]
        for ipc, seed in ((2, 0), (2, 1), (5, 0))
    )
    assert not torch.equal(one, other)
    assert torch.equal(more[:, :2], one)
