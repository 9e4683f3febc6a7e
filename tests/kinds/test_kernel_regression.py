"""What the methods that learn by kernel regression have in common, and what each of them learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.reference_regression import ReferenceRegression

import datastill
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.kinds import KernelRegression
from datastill.kinds.kernel_regression import stepper as stepping
from datastill.kinds.kernel_regression.stepper import RegressionStepper
from datastill.methods import METHODS, method
from datastill.runs import Run
from small_methods import quick
from tiny_sets import data_set

REGRESSIONS = [name for name in METHODS if method(name).kind == KernelRegression.kind]
every = pytest.mark.parametrize("name", REGRESSIONS)


def regression(name: str, **changes: Any) -> KernelRegression:
    composed = quick(name)
    assert isinstance(composed, KernelRegression)
    return replace(composed, **changes)


def opened(composed: KernelRegression, data: DataSet, ipc: int = 2, seed: int = 0) -> RegressionStepper:
    stepper = composed.open(data, Engine(), ipc, seed)
    assert isinstance(stepper, RegressionStepper)
    return stepper


def test_the_kind_has_the_three() -> None:
    assert REGRESSIONS == ["kip", "frepo", "ld"]


@pytest.mark.parametrize(
    "changes", [{"name": "kip", "labels": "scores"}, {"name": "frepo", "uses": 3, "pool": 1}, {"name": "ld", "inner_batch": 4}]
)
def test_steps_are_those_of_a_plain_loop_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    data, composed = data_set((4, 4, 4)), regression(**changes, target_batch=12)
    whole = opened(composed, data)
    monkeypatch.setattr(stepping, "CHUNK_BYTES", 1)  # one real image of every class at a time
    parts, reference = opened(composed, data), ReferenceRegression(composed, data, whole.images())
    for iteration in range(4):
        loss = reference.step(iteration)
        for stepper in (whole, parts):
            assert stepper.step(iteration)["loss"] == pytest.approx(loss, rel=1e-4)
            assert (stepper.images().flatten(0, 1) - reference.pixels.detach()).abs().max() < 0.02 * composed.learning_rate
            if composed.labels != "fixed":
                assert (stepper.canvas().labels - reference.labels.detach()).abs().max() < 0.02 * composed.learning_rate


@pytest.mark.parametrize("name", ["kip", "frepo"])
def test_nothing_is_lost_where_the_set_is_all_of_the_real_images(name: str) -> None:
    figures = opened(regression(name), data_set((4, 4, 4)), ipc=4).step(0)
    assert figures["loss"] < 1e-9
    assert figures["target_accuracy"] == 100


@every
def test_what_is_learned_is_what_it_says(tiny: DataSet, name: str) -> None:
    composed = regression(name, inner_batch=5)
    stepper = opened(composed, tiny)
    before, first = stepper.images(), stepper.canvas()
    for iteration in range(3):
        stepper.step(iteration)
    canvas = stepper.canvas()
    assert torch.equal(stepper.images(), before) is not composed.images
    assert canvas.label_kind == {"fixed": "hard"}.get(composed.labels, composed.labels)
    assert torch.equal(canvas.labels, first.labels) is (composed.labels == "fixed")


def test_labels_from_0_to_1_stay_there_and_probabilities_sum_to_one(tiny: DataSet) -> None:
    for kind in ("weights", "probabilities"):
        stepper = opened(regression("ld", labels=kind, learning_rate=0.2), tiny)
        torch.testing.assert_close(stepper.canvas().labels, torch.full((6, 3), 1 / 3))
        for iteration in range(3):
            stepper.step(iteration)
        labels = stepper.canvas().labels
        assert 0 == float(labels.min()) < float(labels.max()) <= 1
        assert torch.allclose(labels.sum(1), torch.ones(6)) is (kind == "probabilities")


def test_a_network_is_drawn_again_after_its_uses(tiny: DataSet) -> None:
    stepper, drawn = opened(regression("frepo", pool=1, uses=2), tiny), []
    for iteration in range(4):
        stepper.step(iteration)
        drawn.append(int(stepper.state()["kernel/drawn"]))
    assert drawn == [0, 1, 1, 2]


@every
def test_regression_on_digits_gets_better_and_the_run_says_how_good_it_is(tmp_path: Path, name: str) -> None:
    composed = method(name, preset="fast", settings=["target_batch=300", "scored_every=1"])
    datastill.distill("digits", method=composed, ipc=1, iterations=15, out=tmp_path / "run", engine=Engine())
    reached = [entry["regression_accuracy"] for entry in Run(tmp_path / "run").metrics()]
    assert len(reached) == 15
    assert sum(reached[-3:]) / 3 > reached[0] + 5


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("kip", {"images": False}, "kip would learn nothing: use `images=true`, or `labels=scores`"),
        ("kip", {"labels": "soft"}, "unknown kind of labels of kernel regression 'soft'"),
        ("kip", {"ridge": 0.0}, "kip needs a learning rate and a ridge above 0, got 0.04 and 0.0"),
        ("kip", {"hidden": 0}, "kip needs at least 1 hidden layer and a bias of at least 0, got 0 and 0.1"),
        ("kip", {"target_batch": 0}, "kip needs a target batch of at least 1"),
        ("kip", {"initialisation": "zeros"}, "unknown initialisation 'zeros'"),
        ("frepo", {"pool": 0}, "frepo needs a pool and uses of at least 1"),
    ],
)
def test_values_that_make_no_sense_are_refused(name: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        regression(name, **changes)


def test_data_and_networks_that_do_not_fit_are_refused(tiny: DataSet) -> None:
    with pytest.raises(UserError, match="the features of convnet-bn depend on the whole batch: use another network"):
        regression("frepo", network="convnet-bn").check(tiny, 2)
    with pytest.raises(UserError, match="fewer than IPC 99: use `initialisation=augmented` for changed copies of its images, `ipc="):
        regression("kip").check(tiny, 99)
    with pytest.raises(UserError, match="the class 'ship' has no training image, but kip needs one of every class to predict"):
        regression("kip").check(data_set((6, 5, 0)), 1)
