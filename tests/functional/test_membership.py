"""Confidence and likelihood ratio against SciPy's Gaussians and a case whose answer is known."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import norm

from datastill.errors import UserError
from datastill.functional import confidence, likelihood_ratios


def drawn(models: int = 8, images: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """Confidences that are 3 higher for members, and who is one: images in half of the networks, which come in pairs."""
    generator = torch.Generator().manual_seed(0)
    half = torch.rand(models // 2, images, generator=generator) < 0.5
    members = torch.stack([half, ~half], 1).flatten(0, 1)
    return torch.randn(models, images, generator=generator, dtype=torch.float64) + 3 * members, members


def test_confidence_is_the_logit_of_the_probability_and_stays_finite() -> None:
    logits = torch.tensor([[1.0, 2.0, -1.0], [0.0, 0.0, 100.0]])
    p = torch.softmax(logits.double(), 1)[0, 1]
    found = confidence(logits, torch.tensor([1, 2]))
    assert float(found[0]) == pytest.approx(float(torch.log(p / (1 - p))), rel=1e-5)
    assert float(found[1]) == pytest.approx(100 - float(torch.log(torch.tensor(2.0))))


def test_the_ratio_is_that_of_gaussians_from_the_other_networks() -> None:
    confidences, members = drawn()
    turn = [3, 4, 5, 6, 7, 0, 1]
    dropped = [next(other for other in turn if members[other, image] != members[2, image]) for image in range(40)]
    log_densities = []
    for side in (members, ~members):
        chosen = [[other for other in turn if side[other, image] and other != dropped[image]] for image in range(40)]
        values = [confidences[rows, image].numpy() for image, rows in enumerate(chosen)]
        variance = sum(((one - one.mean()) ** 2).sum() for one in values) / sum(len(one) - 1 for one in values)
        log_densities.append([norm.logpdf(float(confidences[2, image]), one.mean(), variance**0.5) for image, one in enumerate(values)])
    expected = torch.tensor(log_densities[0]) - torch.tensor(log_densities[1])
    torch.testing.assert_close(likelihood_ratios(confidences, members)[2], expected, rtol=1e-6, atol=1e-8)


def test_members_have_higher_ratios() -> None:
    confidences, members = drawn()
    ratios = likelihood_ratios(confidences, members)
    assert float((ratios[members] > 0).double().mean()) > 0.8
    assert float((ratios[~members] < 0).double().mean()) > 0.8


def test_networks_that_learned_nothing_tell_nothing() -> None:
    confidences, members = drawn(images=20000)
    ratios = likelihood_ratios(confidences - 3 * members, members)
    ranks = ratios.flatten().argsort().argsort().double()
    inside = members.flatten()
    area = (ranks[inside].mean() - (inside.sum() - 1) / 2) / (~inside).sum()
    assert float(area) == pytest.approx(0.5, abs=0.006)  # with all other networks as shadows .476


def test_too_few_networks_are_refused() -> None:
    confidences, members = drawn(4)
    with pytest.raises(UserError, match="at least 3 networks with every image and 3 without it, got 2"):
        likelihood_ratios(confidences, members)
