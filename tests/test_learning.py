"""Distilling makes images better to learn from: the small check that fails if learning breaks anywhere on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

import datastill
from datastill import Protocol


@pytest.mark.long
def test_two_distilled_digits_a_class_beat_two_real_ones() -> None:
    data = datastill.load("digits")
    distilled = datastill.distill(data, method="dm+cm", ipc=2, iterations=60, settings=["real_batch=64"])
    protocol = Protocol(epochs=200)
    result = datastill.evaluate(distilled, data=data, repeats=2, compare=["random"], protocol=protocol, split="validation")
    assert result.score.mean > result.comparisons["random"].mean + 3
    assert result.score.mean > 85


def test_the_default_method_beats_a_random_subset_of_digits() -> None:
    data = datastill.load("digits", validation=0.3)
    distilled = datastill.distill(data, ipc=5, iterations=60)
    assert distilled.origin.method == "dm+iid"
    result = datastill.evaluate(distilled, data=data, repeats=2, compare=["random"], protocol=Protocol(epochs=150), split="validation")
    assert result.score.mean > result.comparisons["random"].mean + 3
    assert result.advice == ""
    assert float(distilled.images.square().mean((1, 2, 3)).max()) < 9  # no image is thrown away


@pytest.mark.real
def test_one_distilled_photograph_a_class_beats_a_real_one(real_data: Path) -> None:
    data = datastill.load(f"parquet:{real_data / 'cifar10'}@16[0-4]")
    distilled = datastill.distill(data, method="dm", ipc=1, iterations=60, settings=["real_batch=32"])
    protocol = Protocol(epochs=60)
    result = datastill.evaluate(distilled, data=data, repeats=2, compare=["random"], protocol=protocol, split="validation")
    assert result.score.mean > result.comparisons["random"].mean + 2
    assert result.score.mean > 28
