"""The preset best: its own method where none is named, and what methods have that it does not know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from datastill import distill, method
from datastill.cli import main
from datastill.data import DataSet
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.specification import Experiment
from datastill.methods import METHODS
from datastill.setting import BEST, FAST, METHOD_OF_PRESET, PRESETS, Setting, usual_method

KNOWN = {METHOD_OF_PRESET[BEST].partition("+")[0]}
"""Methods with values of their own for it."""


@pytest.mark.parametrize("base", sorted(set(METHODS) - KNOWN))
def test_methods_without_values_of_their_own_have_those_of_fast(base: str) -> None:
    for data, ipc in (("cifar10", 1), ("cifar100", 10), ("digits", 50)):
        best, fast = (replace(method(base, data=data, ipc=ipc, preset=preset), lookup=None) for preset in (BEST, FAST))
        assert best == fast


def test_a_preset_that_a_method_does_not_know_changes_nothing_unless_it_is_best() -> None:
    presets = {FAST: {"real_batch": 64}}
    found = {preset: Setting("digits", 10, 10, preset).values(presets) for preset in PRESETS}
    assert found == {"paper": {}, "code": {}, FAST: {"real_batch": 64}, BEST: {"real_batch": 64}}
    assert Setting("digits", 10, 10, BEST).values({**presets, BEST: {"real_batch": 32}}) == {"real_batch": 32}


def test_it_names_a_method_that_there_is() -> None:
    assert set(METHOD_OF_PRESET) <= set(PRESETS)
    assert {usual_method(preset) for preset in ("paper", "code", FAST)} == {"dm+iid"}
    assert method(usual_method(BEST), preset=BEST).name == usual_method(BEST)


def test_its_values_are_those_of_the_row_that_was_chosen() -> None:
    search = EXPERIMENTS["recipes-augmentation-cifar10-ipc10"]
    assert isinstance(search, Experiment)
    (row,) = (row for row in search.rows if row.name == "idc")
    assert row.method == usual_method(BEST)
    chosen, best = (
        replace(method(row.method, data="cifar10", ipc=10, preset=preset, settings=settings), lookup=None)
        for preset, settings in ((search.preset, row.settings), (BEST, ()))
    )
    assert best == chosen


def test_it_is_taken_where_no_method_is_named(tiny: DataSet, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings = ("matching.recipe.epochs=1", "expert.recipe.epochs=1")
    made = distill(tiny, ipc=1, iterations=1, preset=BEST, settings=settings)
    assert made.origin.method == usual_method(BEST)
    assert distill(tiny, method="random", ipc=1, preset=BEST).origin.method == "random"
    options = ["--ipc", "1", "--iterations", "1", *(word for change in settings for word in ("--set", change))]
    main(["distill", "digits", "--preset", BEST, *options, "--out", str(tmp_path / "run")])
    main(["show", str(tmp_path / "run")])
    assert usual_method(BEST) in capsys.readouterr().out
