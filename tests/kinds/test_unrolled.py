"""The method that goes back through training: one iteration against a plain loop, what it gives, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.reference_unrolled import ReferenceUnrolled

import datastill
from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.kinds import UnrolledTraining
from datastill.kinds import unrolled as stepping
from datastill.methods import method
from datastill.runs import Run
from tiny_sets import data_set


def test_an_iteration_is_that_of_a_plain_loop_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_set((4, 4, 4))
    composed = UnrolledTraining("dd", epochs=2, target_batch=12)
    stepper = composed.open(data, Engine(), 2, 0)
    reference = ReferenceUnrolled(composed, data, stepper.images())
    loss = reference.step(0)
    monkeypatch.setattr(stepping, "CHUNK_BYTES", 1)  # one real image of every class at a time
    for each in (stepper, composed.open(data, Engine(), 2, 0)):
        assert each.step(0)["loss"] == pytest.approx(loss, rel=1e-5)
        for name, slope in (("pixels", reference.pixels.grad), ("sizes", reference.sizes.grad)):
            assert slope is not None  # Adam's first average is a tenth of it
            torch.testing.assert_close(10 * each.state()[f"{name}.exp_avg"], slope, rtol=1e-3, atol=1e-3 * float(slope.abs().max()))


def test_the_step_sizes_are_in_the_set_and_their_mean_is_what_evaluation_trains_with(tiny: DataSet, tmp_path: Path) -> None:
    composed = UnrolledTraining("dd", epochs=2, learning_rate=0.5, target_batch=9)
    made = datastill.distill(tiny, method=composed, ipc=2, iterations=2, out=tmp_path / "run", engine=Engine())
    loaded = DistilledSet.load(tmp_path / "run")
    sizes = [loaded.numbers[f"rate.{epoch}.{image}"] for epoch in range(2) for image in range(2)]
    assert len(set(sizes)) > 1
    assert loaded.learning_rate == pytest.approx(sum(sizes) / 4)
    assert loaded.numbers == made.numbers
    assert loaded.label_kind == "hard"


def test_networks_learn_more_from_digits_after_some_iterations(tmp_path: Path) -> None:
    composed = method("dd", settings=["target_batch=50", "learning_rate=0.1"])
    datastill.distill("digits", method=composed, ipc=1, iterations=20, out=tmp_path / "run", engine=Engine())
    reached = [entry["target_accuracy"] for entry in Run(tmp_path / "run").metrics()]
    assert sum(reached[-5:]) / 5 > sum(reached[:5]) / 5 + 15


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "mine needs epochs and a target_batch of at least 1"),
        ({"start_rate": 0.0}, "mine needs a learning_rate and a start_rate above 0, got 0.01 and 0.0"),
        ({"halve_every": -1}, "halve_every of at least 0, got 3, 1024 and -1"),
        ({"initialisation": "zeros"}, "unknown initialisation 'zeros'"),
    ],
)
def test_values_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        UnrolledTraining("mine", **changes)


def test_data_and_networks_that_do_not_fit_are_refused(tiny: DataSet) -> None:
    with pytest.raises(UserError, match="mine cannot go back through batch norm: use another network"):
        UnrolledTraining("mine", network="convnet-bn").check(tiny, 2)
    with pytest.raises(UserError, match="'ship' has no training images: leave it out"):
        UnrolledTraining("mine").check(data_set((6, 5, 0)), 1)
    with pytest.raises(UserError, match="fewer than IPC 99"):
        UnrolledTraining("mine", initialisation="real").check(tiny, 99)
