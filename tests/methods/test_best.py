"""The preset best: its own method where none is named, and what methods have that it does not know."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from datastill import method
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


SEARCHES = {1: ("recipes-cifar10-ipc1",), 10: ("recipes-cifar10-ipc10", "recipes-augmentation-cifar10-ipc10")}
"""By IPC: tables of one budget, on the validation split of CIFAR-10."""


@pytest.mark.parametrize("ipc", SEARCHES)
def test_its_values_are_those_of_the_row_that_is_highest_on_the_validation_split(ipc: int) -> None:
    results = Path(__file__).parents[2] / "results"
    measured = [
        (float(line["accuracy"]), name, line["method"])
        for name in SEARCHES[ipc]
        for line in csv.DictReader((results / name / "table.csv").read_text("utf-8").splitlines())
        if line["accuracy"]
    ]
    assert len(measured) > 3
    _, name, label = max(measured)
    search = EXPERIMENTS[name]
    assert isinstance(search, Experiment)
    assert search.split == "validation"
    (row,) = (row for row in search.rows if row.name == label)
    assert row.method == usual_method(BEST)
    chosen, best = (
        replace(method(row.method, data="cifar10", ipc=ipc, preset=preset, settings=settings), lookup=None)
        for preset, settings in ((search.preset, row.settings), (BEST, ()))
    )
    assert best == chosen
