from __future__ import annotations

import cmath
import math

import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.functional import characteristic_function, characteristic_matching, frequencies
from datastill.terms import CharacteristicMatching
from small_terms import between
from term_forms import features


def naive(real: Tensor, synthetic: Tensor, frequency: Tensor) -> float:
    """As it is published: amplitude and phase, in complex numbers, frequency by frequency."""

    def function(images: Tensor, at: Tensor) -> complex:
        lengths = [math.sqrt(float(image @ image)) for image in images]
        return sum(cmath.exp(1j * float(at @ image) / length) for image, length in zip(images, lengths, strict=True)) / len(images)

    total = 0.0
    for one, other in zip(real, synthetic, strict=True):
        distances = []
        for at in frequency.T:
            left, right = function(one, at), function(other, at)
            amplitude = (abs(left) - abs(right)) ** 2
            phase = 2 * (abs(left) * abs(right) - (left * right.conjugate()).real)
            distances.append(math.sqrt(0.5 * amplitude + 0.5 * phase))
        total += sum(distances) / len(distances)
    return total


def test_it_is_the_published_sum_of_amplitude_and_phase() -> None:
    real, synthetic = features(5, seed=1).embedding, features(4, seed=2).embedding
    frequency = frequencies(6, 30, torch.float64, torch.device("cpu"))
    found = characteristic_matching(*(characteristic_function(each, frequency) for each in (real, synthetic)))
    assert float(found) == pytest.approx(naive(real, synthetic, frequency), rel=1e-10)
    term = CharacteristicMatching(frequencies=30)
    assert float(between(term, features(5, seed=1), features(4, seed=2))) == pytest.approx(float(found), rel=1e-12)


def test_its_values() -> None:
    assert CharacteristicMatching() == CharacteristicMatching(weight=300.0, frequencies=4096)
    assert CharacteristicMatching().name == "cf"


def test_frequencies_are_normal_and_always_the_same() -> None:
    one = frequencies(64, 500, torch.float64, torch.device("cpu"))
    frequencies.cache_clear()
    assert torch.equal(one, frequencies(64, 500, torch.float64, torch.device("cpu")))
    assert float(one.mean()) == pytest.approx(0, abs=0.03)
    assert float(one.std()) == pytest.approx(1, abs=0.03)


def test_the_length_of_embeddings_does_not_matter_and_equal_ones_have_no_gradient_that_is_not_finite() -> None:
    frequency = frequencies(6, 30, torch.float64, torch.device("cpu"))
    embedding = features(4, seed=2).embedding.requires_grad_()
    target = characteristic_function(3 * embedding.detach(), frequency)
    loss = characteristic_matching(target, characteristic_function(embedding, frequency))
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == pytest.approx(0, abs=1e-12)
    assert embedding.grad is not None
    assert bool(embedding.grad.isfinite().all())


def test_no_frequencies_are_refused() -> None:
    with pytest.raises(UserError, match="must be at least 1, got 0"):
        CharacteristicMatching(frequencies=0)
