from __future__ import annotations

import math

import pytest
import torch

from datastill.augment import cutmix


def images(count: int = 7, height: int = 12, width: int = 8) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("seed", range(8))
def test_every_pixel_against_a_loop(seed: int) -> None:
    before = images()
    mixed, other, share = cutmix(before, torch.Generator().manual_seed(seed))

    again = torch.Generator().manual_seed(seed)
    side = math.sqrt(float(torch.rand((), generator=again)))
    bounds = []
    for length in (12, 8):
        centre, reach = int(torch.randint(length, (), generator=again)), int(length * side) // 2
        bounds.append(range(max(0, centre - reach), min(length, centre + reach)))
    partner = torch.randperm(7, generator=again).tolist()
    own = 0
    for image in range(7):
        for row in range(12):
            for column in range(8):
                inside = row in bounds[0] and column in bounds[1]
                own += not inside
                expected = before[partner[image] if inside else image, :, row, column]
                assert torch.equal(mixed[image, :, row, column], expected)
    assert other.tolist() == partner
    assert share == pytest.approx(own / (7 * 12 * 8))


def test_the_share_that_is_cut_is_that_of_a_uniform_one_less_what_is_cut_off() -> None:
    before = images(2, 128, 128)
    kept = before.clone()
    shares = [cutmix(before, torch.Generator().manual_seed(seed))[2] for seed in range(2000)]
    assert torch.equal(before, kept)
    # A side s with its centre anywhere has s - s^2 / 4 inside on average, and s^2 = u is uniform: E (s - s^2 / 4)^2 = 1/2 - 1/5 + 1/48.
    assert sum(shares) / len(shares) == pytest.approx(1 - (1 / 2 - 1 / 5 + 1 / 48), abs=0.02)
