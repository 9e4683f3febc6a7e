from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from datastill.encoders import RECIPES, TrainingRecipe
from datastill.errors import UserError
from datastill.teachers.recipe import recipe


def test_one_cycle_rises_over_the_first_quarter_and_falls_on_a_line() -> None:
    rates = [TrainingRecipe(learning_rate=0.8).rate(step, 16) for step in range(16)]
    rising = [0.2, 0.4, 0.6, 0.8]
    falling = [0.8 * left / 12 for left in range(12, 0, -1)]
    assert rates == pytest.approx(rising + falling)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 1000])
def test_one_cycle_stays_above_zero_and_reaches_its_peak(steps: int) -> None:
    rates = [TrainingRecipe(learning_rate=0.5).rate(step, steps) for step in range(steps)]
    assert min(rates) > 0
    assert max(rates) == pytest.approx(0.5)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_the_constant_schedule_is_constant() -> None:
    assert {TrainingRecipe(schedule="constant", learning_rate=0.01).rate(step, 10) for step in range(10)} == {0.01}


def test_the_papers_recipe() -> None:
    paper = RECIPES["paper"]
    assert (paper.epochs, paper.schedule, paper.augment) == (30, "constant", False)
    assert (paper.learning_rate, paper.momentum, paper.weight_decay) == (0.01, 0.9, 5e-4)
    assert paper.half_size == 0


def test_every_field_is_part_of_the_key() -> None:
    first = TrainingRecipe()
    others = [
        replace(first, **change)
        for change in (
            {"schedule": "constant"}, {"epochs": 9}, {"learning_rate": 0.1}, {"batch": 64}, {"momentum": 0.8},
            {"weight_decay": 0.0}, {"augment": False}, {"half_size": 0.5}, {"sharpness": 0.01}, {"sharpness": 0.01, "gap": 0.3},
            {"augmentation": "dsa"},
        )
    ]  # fmt: skip
    assert TrainingRecipe().key() == first.key()
    assert len({first.key(), *(other.key() for other in others)}) == 12


def test_networks_trained_before_there_was_sharpness_are_found_under_their_key() -> None:
    fields = ["schedule", "epochs", "learning_rate", "batch", "momentum", "weight_decay", "augment", "half_size"]
    text = json.dumps({name: getattr(RECIPES["paper"], name) for name in sorted(fields)})
    assert RECIPES["paper"].key() == hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UserError, match="unknown schedule 'cosine'; expected one-cycle or constant"):
        TrainingRecipe(schedule="cosine")
    for change in ({"epochs": 0}, {"batch": 0}, {"learning_rate": 0.0}):
        with pytest.raises(UserError, match="above 0"):
            replace(TrainingRecipe(), **change)
    for sharpness, gap in ((-0.1, 0.0), (0.0, 0.3)):
        with pytest.raises(UserError, match="a sharpness and a gap of at least 0, and a sharpness above 0 for a gap, got"):
            TrainingRecipe(sharpness=sharpness, gap=gap)
    with pytest.raises(UserError, match=r"unknown augmentation 'das'\. Did you mean 'dsa'"):
        TrainingRecipe(augmentation="das")
    with pytest.raises(UserError, match="a recipe with the augmentation 'dsa' must augment: use `augment=true`"):
        TrainingRecipe(augmentation="dsa", augment=False)
    with pytest.raises(UserError, match=r"unknown recipe 'papers'. Did you mean 'paper'"):
        recipe("papers")
    assert recipe("paper") is RECIPES["paper"]
