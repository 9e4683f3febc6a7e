from __future__ import annotations

import pytest
import torch

from datastill.kinds.distribution_matching.balance import balanced


def pull(*lengths: float) -> torch.Tensor:
    """Gradients of one class with images of four values, each of a given root mean square."""
    return torch.tensor(lengths)[None, :, None, None, None].expand(1, -1, 1, 2, 2).clone()


def bound(most: float) -> dict[str, float]:
    """The same bound for every encoder."""
    return dict.fromkeys(("matching", "pretrained", "third"), most)


def test_a_constraint_pulls_no_harder_than_the_method() -> None:
    own, other = pull(3.0, 4.0), pull(1.0, -100.0)
    limit = (25 / 2) ** 0.5  # the root mean square over the class
    expected = own + pull(1.0, -limit)
    torch.testing.assert_close(balanced({"pretrained": other, "matching": own}, bound(1.0)), expected)
    torch.testing.assert_close(balanced({"matching": own, "pretrained": other}, bound(2.0)), own + pull(1.0, -2 * limit))


def test_what_is_within_the_bound_is_the_plain_sum_to_the_bit() -> None:
    own = torch.randn(3, 4, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    other = 0.5 * torch.randn(3, 4, 1, 5, 5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(balanced({"matching": own, "pretrained": other}, bound(1.0)), own + other)


def test_without_a_bound_or_without_the_method_it_is_the_plain_sum() -> None:
    own, other = pull(1.0, 1.0), pull(50.0, 0.0)
    assert torch.equal(balanced({"matching": own, "pretrained": other}, bound(0.0)), own + other)
    assert torch.equal(balanced({"pretrained": other}, bound(1.0)), other)
    assert torch.equal(balanced({"pretrained": other, "third": own}, bound(1.0)), other + own)


def test_classes_are_bounded_apart() -> None:
    own = torch.cat([pull(1.0, 1.0), pull(10.0, 10.0)])
    other = torch.cat([pull(5.0, 5.0), pull(5.0, 5.0)])
    torch.testing.assert_close(
        balanced({"matching": own, "pretrained": other}, bound(1.0)), own + torch.cat([pull(1.0, 1.0), pull(5.0, 5.0)])
    )


@pytest.mark.parametrize("nothing", ["own", "other"])
def test_a_gradient_of_zero_stays_finite(nothing: str) -> None:
    gradients = {"matching": pull(1.0, 1.0), "pretrained": pull(2.0, 2.0)}
    gradients["matching" if nothing == "own" else "pretrained"].zero_()
    total = balanced(gradients, bound(1.0))
    assert bool(total.isfinite().all())
    assert float(total.abs().max()) == (0.0 if nothing == "own" else 1.0)
