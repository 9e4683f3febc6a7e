"""A step that matches gradients against a plain loop written as the paper's algorithm, and what a run keeps to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from benchmarks.reference_gradients import ReferenceGradients
from torch import Tensor

import datastill
from datastill import Protocol, UserError
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.kinds import GradientMatching
from datastill.kinds.gradient_matching import GradientStepper
from datastill.kinds.method import ITERATIONS
from datastill.methods import method
from datastill.runs.job import Job

PLAIN = GradientMatching("plain", matches=2, epochs=2, batch=4, real_batch=6, augment=False)


def opened(method: GradientMatching, data: DataSet, ipc: int = 2, seed: int = 0, engine: Engine | None = None) -> GradientStepper:
    stepper = method.open(data, engine or Engine(), ipc, seed)
    assert isinstance(stepper, GradientStepper)
    return stepper


@pytest.mark.parametrize(
    "method",
    [
        PLAIN,
        replace(PLAIN, augment=True, initialisation="noise"),
        replace(PLAIN, augment=True, augmentation="idc"),
        replace(PLAIN, network="convnet-bn", momentum=0.0),
        replace(PLAIN, augment=True, summed_from=1, matches=1),
    ],
    ids=["plain", "augmented", "augmented as in IDC", "batch norm", "summed over classes"],
)
def test_steps_are_those_of_a_plain_loop(tiny: DataSet, method: GradientMatching) -> None:
    stepper = opened(method, tiny)
    before = stepper.images()
    reference = ReferenceGradients(method, tiny, before)
    for iteration in range(3):
        assert stepper.step(iteration)["loss"] == pytest.approx(reference.step(iteration), rel=1e-3)
    moved = (stepper.images() - before).abs().max()
    assert moved > 1e-3
    torch.testing.assert_close(stepper.images(), reference.pixels.detach(), rtol=0, atol=float(2e-2 * moved))


@pytest.mark.parametrize("summed_from", [None, 0])
def test_nothing_is_to_be_done_where_real_and_synthetic_images_are_the_same(tiny: DataSet, summed_from: int | None) -> None:
    exact = replace(PLAIN, real_batch=12, epsilon=1e-30, summed_from=summed_from)
    stepper = opened(exact, tiny, ipc=12)
    rows = sum(len(weight) for weight in stepper.network.parameters() if weight.ndim > 1) * (tiny.classes if summed_from is None else 1)
    assert stepper.step(0)["loss"] < 1e-4 * rows
    assert opened(exact, tiny, ipc=4).step(0)["loss"] > 0.01 * rows


def test_micro_batches_and_parts_of_real_images_change_nothing(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    method = replace(PLAIN, augment=True)
    whole = opened(method, tiny)
    monkeypatch.setattr("datastill.kinds.gradient_matching.stepper.CHUNK_BYTES", 4 * 4 * tiny.channels * 64)
    parts = opened(method, tiny, engine=Engine(micro_batch=2))
    assert (whole.batches.limit > 6, parts.batches.limit) == (True, 4)
    for iteration in range(2):
        assert parts.step(iteration)["loss"] == pytest.approx(whole.step(iteration)["loss"], rel=1e-3)
    torch.testing.assert_close(parts.images(), whole.images(), rtol=0, atol=1e-3)


def test_when_gradients_are_summed_over_classes() -> None:
    matches = replace(PLAIN, matches=4)
    assert not any(matches.summed(iteration) for iteration in range(20))
    late = replace(matches, summed_from=2, summed_after=3)
    assert [iteration for iteration in range(13) if late.summed(iteration)] == [3, 7, 8, 9, 10, 11, 12]
    published = method("dcc", data="cifar10", ipc=1)
    assert isinstance(published, GradientMatching)
    assert (published.summed(2499), published.summed(2500)) == (False, True)  # after 250 networks of ten matches


def test_a_network_stays_for_its_matches_and_is_trained_between_them(tiny: DataSet) -> None:
    stepper = opened(PLAIN, tiny)

    def kept() -> Tensor:
        return stepper.state()["network/classifier.weight"]

    first = kept()
    stepper.step(0)
    trained = kept()
    assert not torch.equal(trained, first)
    stepper.step(1)
    assert torch.equal(kept(), trained)  # the last match of a network: another one is drawn
    stepper.step(2)
    stepper.step(3)
    assert not torch.equal(kept(), trained)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"initialisation": "zeros"}, "unknown initialisation 'zeros'. Known: real, noise, augmented"),
        ({"matches": 0}, "plain needs matches, batch and real_batch of at least 1 and epochs of at least 0, got 0, 4, 6 and 2"),
        ({"epochs": -1}, "got 2, 4, 6 and -1"),
        ({"learning_rate": 0.0}, "the pixels of plain needs a learning rate above 0"),
        ({"network_rate": float("nan")}, "the network of plain needs a learning rate above 0"),
        ({"epsilon": 0.0}, "plain needs an epsilon above 0 and an averaging in .0, 1., where 0 is none, got 0.0 and 0.0"),
        ({"averaging": 1.0}, "got 1e-06 and 1.0"),
        ({"summed_from": -1}, "counted from 0, got -1 and 10"),
        ({"summed_after": -1}, "counted from 0, got None and -1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        replace(PLAIN, **changes)  # type: ignore[arg-type]


def test_a_network_or_an_ipc_that_cannot_be_is_refused_before_the_run(tiny: DataSet) -> None:
    with pytest.raises(UserError, match=r"unknown network 'convent'. Did you mean 'convnet'"):
        replace(PLAIN, network="convent").check(tiny, 2)
    with pytest.raises(
        UserError,
        match="the class 'left' has 12 training images, fewer than IPC 13: use `initialisation=augmented`"
        " for changed copies of its images, `ipc=12` or less",
    ):
        PLAIN.check(tiny, 13)
    replace(PLAIN, initialisation="noise").check(tiny, 13)


def test_steps_that_lose_the_images_end_the_run(tiny: DataSet) -> None:
    stepper = opened(replace(PLAIN, learning_rate=1e9), tiny)
    with pytest.raises(UserError, match="nothing is left of it: lower `learning_rate` in a new run"):
        stepper.step(0)


@pytest.mark.parametrize(("name", "own"), [("dc", []), ("dsa", []), ("dcc", ["summed_from=0", "epochs=1"])])
def test_matched_digits_beat_the_noise_that_they_start_from(name: str, own: list[str]) -> None:
    data = datastill.load("digits")
    settings = ["real_batch=16", "learning_rate=1", "initialisation=noise", *own]
    distilled = datastill.distill(data, method=name, ipc=1, iterations=15, settings=settings)
    result = datastill.evaluate(distilled, data=data, repeats=1, protocol=Protocol(epochs=60), split="validation")
    assert result.score.mean > 50  # noise is at 10


@pytest.mark.parametrize(
    ("changes", "iterations", "never"),
    [
        ({"summed_from": 25, "matches": 10}, 250, True),
        ({"summed_from": 25, "matches": 10}, 251, False),
        ({"summed_from": 25, "matches": 20, "summed_after": 10}, 11, False),
        ({"summed_from": 25, "matches": 20, "summed_after": 10}, 10, True),
        ({}, 1, False),
    ],
)
def test_a_run_that_never_sums_gradients_is_told(changes: dict[str, Any], iterations: int, never: bool) -> None:
    method = replace(PLAIN, **changes)
    assert bool(method.never(iterations)) == never == (bool(changes) and not any(method.summed(each) for each in range(iterations)))


def test_it_is_told_before_the_run_begins(tiny: DataSet, caplog: pytest.LogCaptureFixture) -> None:
    Job.of(tiny, "dcc", ipc=1, iterations=100)
    assert "matches summed gradients from iteration 2,501 on, which 100 never reach: lower `summed_from`" in caplog.text


def test_dcc_sums_within_a_run_of_the_usual_length_with_the_preset_fast() -> None:
    for ipc in (1, 10):
        fast = method("dcc", ipc=ipc, preset="fast")
        assert isinstance(fast, GradientMatching)
        assert not fast.never(ITERATIONS)
        assert [fast.summed(iteration) for iteration in (0, 99, 100)] == [False, False, True]


@pytest.mark.parametrize("iterations", [3, 11, 500, 2000])
def test_the_network_that_is_advised_for_the_sum_is_reached(iterations: int) -> None:
    published = method("dcc", ipc=10, preset="code")
    assert isinstance(published, GradientMatching)
    advised = int(published.never(iterations).rpartition(", ")[2])
    assert not replace(published, summed_from=advised).never(iterations)
