from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.functional import farthest_first_order, forgetting_counts, herding_order

ORDERS = (herding_order, farthest_first_order)
seeds = pytest.mark.parametrize("seed", range(4))


def points(seed: int, count: int = 40, features: int = 5) -> Tensor:
    return torch.randn(count, features, generator=torch.Generator().manual_seed(seed)) + 100  # far from 0, as embeddings after a ReLU are


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_herding_by_hand() -> None:
    # mean 3: 3 itself; then the sum of two should be 6: 4 (7) and 1 (4) miss it by 1 and 2; then 3 + 4 + 1 = 8 is nearest to 9
    assert herding_order(column(0, 1, 3, 4, 7), 3).tolist() == [2, 3, 1]
    assert herding_order(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]), 2).tolist() == [0, 2]


def test_farthest_first_by_hand() -> None:
    # mean 4: 3 is nearest; 10 is farthest from it, then 0 (3 away from 3), then 5 (2 away from 3) before 2 (1 away)
    assert farthest_first_order(column(0, 2, 3, 5, 10), 5).tolist() == [2, 4, 0, 3, 1]


@seeds
def test_herding_is_the_naive_loop(seed: int) -> None:
    embeddings = points(seed).double()
    chosen: list[int] = []
    for _ in range(12):
        errors = [
            math.inf if row in chosen else float((embeddings[[*chosen, row]].mean(0) - embeddings.mean(0)).norm()) for row in range(40)
        ]
        chosen.append(errors.index(min(errors)))
    assert herding_order(embeddings, 12).tolist() == chosen


@seeds
def test_farthest_first_is_the_naive_loop(seed: int) -> None:
    embeddings = points(seed).double()
    distances = torch.cdist(embeddings, embeddings, compute_mode="donot_use_mm_for_euclid_dist")
    chosen = [int((embeddings - embeddings.mean(0)).norm(dim=1).argmin())]
    for _ in range(11):
        chosen.append(int(distances[:, chosen].amin(1).argmax()))
    assert farthest_first_order(embeddings, 12).tolist() == chosen


@seeds
def test_the_mean_of_what_herding_chooses_is_nearer_than_that_of_a_draw(seed: int) -> None:
    embeddings = points(seed)
    chosen, drawn = (float((embeddings[rows].mean(0) - embeddings.mean(0)).norm()) for rows in (herding_order(embeddings, 10), range(10)))
    assert chosen < 0.3 * drawn


@seeds
def test_every_image_lies_within_twice_the_best_radius_of_a_centre(seed: int) -> None:
    """Greedy centres cover within twice the optimum, which half of their least distance from each other bounds from below."""
    embeddings = points(seed, count=30, features=2)
    more = farthest_first_order(embeddings, 6)
    distances = torch.cdist(embeddings, embeddings)
    radius = float(distances[:, more[:5]].amin(1).max())
    among = distances[more][:, more] + torch.eye(6) * 1e9
    assert radius <= float(among.min()) + 1e-4


@pytest.mark.parametrize("order", ORDERS)
@seeds
def test_a_longer_choice_begins_with_the_shorter_one_and_takes_no_image_twice(order: Callable[[Tensor, int], Tensor], seed: int) -> None:
    embeddings = points(seed, count=9)
    orders = [order(embeddings, count).tolist() for count in range(1, 10)]
    assert all(longer[:-1] == shorter for shorter, longer in pairwise(orders))
    assert sorted(orders[-1]) == list(range(9))


@pytest.mark.parametrize("order", ORDERS)
def test_of_equal_images_the_earlier_one_is_taken(order: Callable[[Tensor, int], Tensor]) -> None:
    assert order(torch.full((5, 3), 0.1), 5).tolist() == [0, 1, 2, 3, 4]
    twice = points(0, count=6, features=3).repeat(2, 1)
    assert set(order(twice, 3).tolist()) <= set(range(6)) or order is herding_order  # herding may well take an image and its double
    assert order(twice, 1).item() < 6


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("count", [0, 4])
def test_more_images_than_there_are_cannot_be_chosen(order: Callable[[Tensor, int], Tensor], count: int) -> None:
    with pytest.raises(UserError, match=rf"cannot choose {count} images of embeddings of shape \(3, 2\): expected 1 to 3"):
        order(torch.zeros(3, 2), count)


SCRIPTED = torch.tensor(
    [  # always right, never, forgotten once, forgotten twice, learned late, forgotten over an epoch that did not see it
        [1, 0, 1, 1, 0, 1],
        [1, 0, 0, 0, 0, -1],
        [1, 0, 0, 1, 0, 0],
        [1, 0, 1, 0, 1, -1],
    ],
    dtype=torch.int8,
)


def test_forgetting_by_hand() -> None:
    assert forgetting_counts(SCRIPTED).tolist() == [0, math.inf, 1, 2, 0, 1]
    assert forgetting_counts(SCRIPTED, never_learned=0.0).tolist() == [0, 0, 1, 2, 0, 1]


def test_an_image_that_no_epoch_saw_was_never_learned() -> None:
    assert forgetting_counts(torch.full((3, 2), -1)).tolist() == [math.inf, math.inf]
    assert forgetting_counts(torch.tensor([[1], [-1]])).tolist() == [0]
