from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from datastill.kinds.balance import balanced as by_encoder
from datastill.kinds.balance import length, shortened

BOTH = {"matching": 1.0, "pretrained": 1.0}


def balanced(gradients: Mapping[str, torch.Tensor], most: Mapping[str, float], own: torch.Tensor | None = None) -> torch.Tensor:
    """Their sum, in the order of the mapping."""
    first, *others = by_encoder(gradients, most, own).values()
    for other in others:
        first = first + other
    return first


def pull(*lengths: float) -> torch.Tensor:
    """Gradients of one class with images of four values, each of a given root mean square."""
    return torch.tensor(lengths)[None, :, None, None, None].expand(1, -1, 1, 2, 2).clone()


def noise(seed: int, times: float = 1.0) -> torch.Tensor:
    return times * torch.randn(3, 4, 1, 5, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("times", [1e-25, 1.0, 1e25])
def test_a_length_is_a_root_mean_square_at_any_scale(times: float) -> None:
    expected = noise(0).double().square().mean((2, 3, 4), keepdim=True).sqrt() * times
    torch.testing.assert_close(length(noise(0, times)).double(), expected, rtol=1e-5, atol=0)


def test_a_constraint_pulls_no_harder_than_the_method() -> None:
    own, other = pull(3.0, 4.0), pull(1.0, -100.0)
    limit = (25 / 2) ** 0.5  # the root mean square over the class
    torch.testing.assert_close(balanced({"pretrained": other, "matching": own}, BOTH), own + pull(1.0, -limit))
    twice = {"matching": 1.0, "pretrained": 2.0}
    torch.testing.assert_close(balanced({"matching": own, "pretrained": other}, twice), own + pull(1.0, -2 * limit))


@pytest.mark.parametrize("times", [1e3, 1e15, 1e30])
def test_however_hard_it_would_pull(times: float) -> None:
    own = noise(0)
    found = shortened(noise(1, times), own, 1.0)
    limit = own.flatten(1).square().mean(1).sqrt()[:, None, None, None, None].expand(-1, 4, -1, -1, -1)
    torch.testing.assert_close(length(found), limit, rtol=1e-5, atol=0)
    torch.testing.assert_close(found / length(found), noise(1) / length(noise(1)), rtol=1e-4, atol=1e-5)


def test_what_is_within_the_bound_is_the_plain_sum_to_the_bit() -> None:
    own, other, added = noise(0), noise(1, 0.5), noise(2, 0.1)
    assert torch.equal(balanced({"matching": own, "pretrained": other}, BOTH), own + other)
    joint = own + added
    assert torch.equal(balanced({"matching": joint, "pretrained": other}, BOTH, own), joint + other)


def test_terms_added_to_the_matching_encoder_are_bounded_by_the_others_there() -> None:
    own, other, added = noise(0), noise(1, 100), noise(2, 1000)
    expected = own + shortened(added, own, 1.0) + shortened(other, own, 1.0)
    torch.testing.assert_close(balanced({"matching": own + added, "pretrained": other}, BOTH, own), expected, rtol=1e-3, atol=1e-3)


def test_without_a_bound_or_without_the_method_it_is_the_plain_sum() -> None:
    own, other = pull(1.0, 1.0), pull(50.0, 0.0)
    free = {"matching": 0.0, "pretrained": 0.0, "third": 0.0}
    assert torch.equal(balanced({"matching": own, "pretrained": other}, free), own + other)
    assert torch.equal(balanced({"matching": own + other}, free, own), own + other)
    assert torch.equal(balanced({"pretrained": other}, BOTH), other)
    assert torch.equal(balanced({"pretrained": other, "third": own}, {**BOTH, "third": 1.0}), other + own)


def test_classes_are_bounded_apart() -> None:
    own = torch.cat([pull(1.0, 1.0), pull(10.0, 10.0)])
    other = torch.cat([pull(5.0, 5.0), pull(5.0, 5.0)])
    found = balanced({"matching": own, "pretrained": other}, BOTH)
    torch.testing.assert_close(found, own + torch.cat([pull(1.0, 1.0), pull(5.0, 5.0)]))


@pytest.mark.parametrize("nothing", ["own", "other"])
def test_a_gradient_of_zero_stays_finite(nothing: str) -> None:
    gradients = {"matching": pull(1.0, 1.0), "pretrained": pull(2.0, 2.0)}
    gradients["matching" if nothing == "own" else "pretrained"].zero_()
    total = balanced(gradients, BOTH)
    assert bool(total.isfinite().all())
    assert float(total.abs().max()) == pytest.approx(0.0 if nothing == "own" else 1.0, abs=1e-30)
