"""The method that follows experts: one iteration against a plain loop, what it keeps and gives, and what it refuses."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.reference_unrolled import ReferenceTrajectories, stepped

import datastill
from datastill.data import ClassImages, DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.kinds import TrajectoryMatching
from datastill.kinds.trajectory_matching import EXPERT, SNAPSHOTS, TrajectoryStepper
from datastill.methods import method, mtt
from datastill.runs import Run
from datastill.teachers import pretraining
from datastill.teachers.recipe import TrainingRecipe
from datastill.teachers.trajectories import kept
from tiny_sets import data_set

SMALL = TrajectoryMatching("mtt", experts=1, latest_start=1, expert_epochs=1, inner=3, batch=4, learning_rate=0.5, rate_rate=1e-6)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path / "cache"))


def opened(composed: TrajectoryMatching, data: DataSet, ipc: int = 2) -> TrajectoryStepper:
    stepper = composed.open(data, Engine(), ipc, 0)
    assert isinstance(stepper, TrajectoryStepper)
    return stepper


@pytest.mark.parametrize("augmentation", ["dsa", "idc", "none"])
def test_an_iteration_is_that_of_a_plain_loop(augmentation: str) -> None:
    augment = {"augment": False} if augmentation == "none" else {"augmentation": augmentation}
    data, composed = data_set((4, 4, 4)), replace(SMALL, **augment)
    stepper = opened(composed, data)
    reference = ReferenceTrajectories(composed, data, stepper.images(), stepper.experts)
    loss, found = reference.step(0), stepper.step(0)
    of_pixels, of_rate = reference.pixels.grad, reference.rate.grad
    assert of_pixels is not None
    assert of_rate is not None
    assert found["loss"] == pytest.approx(loss, rel=1e-4)
    torch.testing.assert_close(stepper.state()["momentum"], of_pixels, rtol=1e-3, atol=1e-3 * float(of_pixels.abs().max()))
    assert float(stepper.velocity) == pytest.approx(float(of_rate), rel=1e-3)
    assert found["rate"] == pytest.approx(0.01 - 1e-6 * float(of_rate), rel=1e-4)


@pytest.mark.parametrize(("inner", "same"), [(1, True), (3, False)])
def test_leaving_out_what_later_steps_owe_to_earlier_ones_changes_nothing_for_one_step(inner: int, same: bool) -> None:
    whole, cut = (opened(replace(SMALL, inner=inner, through=through), data_set((4, 4, 4))) for through in (True, False))
    assert whole.step(0)["loss"] == cut.step(0)["loss"]
    assert torch.equal(whole.state()["momentum"], cut.state()["momentum"]) == same


def test_nothing_is_lost_where_the_expert_was_trained_on_the_set_itself() -> None:
    data, composed = data_set((4, 4, 4)), replace(SMALL, augment=False, batch=0, latest_start=1)
    ((start, other),) = opened(composed, data).experts
    following = TrajectoryStepper(composed, data, Engine(), 2, 0, [[start, other]])
    loop = ReferenceTrajectories(composed, data, following.images(), following.experts)
    weights = dict(zip([name for name, _ in loop.network.named_parameters()], start, strict=True))
    for rows in loop.batches(0):
        leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
        weights = stepped(loop.network, leaves, following.pixels.detach().flatten(0, 1)[rows], loop.labels[rows], torch.tensor(0.01))
    end = tuple(weight.detach() for weight in weights.values())
    there = TrajectoryStepper(composed, data, Engine(), 2, 0, [[start, end]])
    assert there.step(0)["loss"] < 1e-6 * following.step(0)["loss"]
    assert there.state()["momentum"].norm() < 1e-3 * following.state()["momentum"].norm()


def test_every_image_is_seen_before_one_is_seen_again() -> None:
    stepper = opened(replace(SMALL, inner=5), data_set())
    rows = stepper._rows(3)
    assert [len(each) for each in rows] == [4, 2, 4, 2, 4]
    assert torch.cat(rows[:2]).sort().values.tolist() == torch.cat(rows[2:4]).sort().values.tolist() == list(range(6))
    assert not torch.equal(torch.cat(rows[:2]), torch.cat(rows[2:4]))
    assert [len(each) for each in opened(replace(SMALL, batch=0), data_set())._rows(0)] == [6, 6, 6]


def test_experts_are_kept_for_as_many_epochs_as_are_read_and_drawn_from_all_starts(tiny: DataSet) -> None:
    composed = replace(SMALL, experts=2, latest_start=3, expert_epochs=2)
    assert sum(each.count for each in composed.missing(tiny)) == 2
    stepper = opened(composed, tiny)
    assert not composed.missing(tiny)
    assert composed.pretraining_seconds(tiny) > 0
    runs = kept(tiny, "convnet", 2, composed.trained, SNAPSHOTS)
    assert [run.epochs for run in runs] == [(0, 1, 2, 3, 4)] * 2
    drawn = {(float(start[0].sum()), float(target[0].sum())) for start, target in map(stepper._drawn, range(60))}
    sums = [[float(weights[0].sum()) for weights in expert] for expert in stepper.experts]
    assert drawn == {(run[start], run[start + 2]) for run in sums for start in range(3)}


def test_the_learned_rate_is_in_the_set_and_evaluation_trains_with_it(tiny: DataSet, tmp_path: Path) -> None:
    made = datastill.distill(tiny, method=SMALL, ipc=2, iterations=3, out=tmp_path / "run", engine=Engine())
    loaded = DistilledSet.load(tmp_path / "run")
    assert loaded.learning_rate == made.learning_rate == pytest.approx([entry["rate"] for entry in Run(tmp_path / "run").metrics()][-1])
    assert loaded.learning_rate != 0.01
    still = datastill.distill(tiny, method=replace(SMALL, rate_rate=0.0), ipc=2, iterations=2, engine=Engine())
    assert still.learning_rate == pytest.approx(0.01)


def test_the_way_that_is_left_becomes_shorter(tmp_path: Path) -> None:
    data = datastill.load("digits[0-2]")
    composed = method(
        "mtt",
        data=data,
        ipc=1,
        settings=["experts=1", "latest_start=1", "expert_epochs=1", "inner=5", "learning_rate=30", "start_rate=0.02"],
    )
    datastill.distill(data, method=composed, ipc=1, iterations=25, out=tmp_path / "run", engine=Engine())
    losses = [entry["loss"] for entry in Run(tmp_path / "run").metrics()]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


@pytest.mark.parametrize("name", ["mtt", "ftd"])
def test_digits_from_noise_teach_a_network(name: str) -> None:
    data = datastill.load("digits")
    experts = ["experts=1", "latest_start=1", "expert_epochs=1", "inner=5", "learning_rate=100", "start_rate=0.02"]
    distilled = datastill.distill(data, method=name, ipc=1, iterations=30, settings=[*experts, "initialisation=noise"])
    result = datastill.evaluate(distilled, data=data, repeats=1, protocol=datastill.Protocol(epochs=60), split="validation")
    assert result.score.mean > 35  # noise is at 10


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"inner": 0},
            "mine needs experts, latest_start, expert_epochs and inner of at least 1 and a batch of at least 0, got 10, 20, 2",
        ),
        ({"batch": -1}, "a batch of at least 0"),
        ({"start_rate": 0.0}, "mine needs a start_rate above 0, a rate_rate of at least 0 and an averaging in"),
        ({"averaging": 1.0}, "got 0.01, 1e-05 and 1.0"),
        ({"initialisation": "zeros"}, "unknown initialisation 'zeros'"),
        ({"recipe": replace(EXPERT, epochs=30)}, "mine trains experts for `latest_start` - 1 [+] `expert_epochs` epochs: set these"),
    ],
)
def test_values_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        TrajectoryMatching("mine", **changes)


def test_data_networks_and_rates_that_do_not_fit_are_refused(tiny: DataSet) -> None:
    with pytest.raises(UserError, match="mine cannot go back through batch norm: use another network"):
        TrajectoryMatching("mine", network="convnet-bn").check(tiny, 2)
    with pytest.raises(UserError, match="'ship' has no training images: leave it out"):
        TrajectoryMatching("mine").check(data_set((6, 5, 0)), 1)
    with pytest.raises(UserError, match="fewer than IPC 99"):
        TrajectoryMatching("mine").check(tiny, 99)
    with pytest.raises(UserError, match="50000 runs of convnet with 22 snapshots each would take"):
        TrajectoryMatching("mine", experts=50000).check(tiny, 1)
    with pytest.raises(UserError, match="the loss is not finite at iteration 1: lower `learning_rate`, `start_rate` or `rate_rate`"):
        opened(replace(SMALL, start_rate=1e30), tiny).step(0)


def test_no_step_takes_the_learned_rate_out_of_reach(tiny: DataSet) -> None:
    stepper = opened(replace(SMALL, rate_rate=1e9), tiny)
    rates = [0.01, *(stepper.step(iteration)["rate"] for iteration in range(3))]
    assert all(after / before == pytest.approx(0.5) or after / before == pytest.approx(2) for before, after in itertools.pairwise(rates))


def test_no_published_setting_keeps_a_snapshot_that_is_never_read() -> None:
    for name, data, ipc, preset in itertools.product(
        ("mtt", "ftd"), ("cifar10", "cifar100", "tinyimagenet"), (1, 10, 50), ("paper", "fast")
    ):
        composed = method(name, data=data, ipc=ipc, preset=preset)
        assert isinstance(composed, TrajectoryMatching)
        starts = range(composed.latest_start)
        read = {*starts, *(start + composed.expert_epochs for start in starts)}
        assert read == set(SNAPSHOTS.moments(composed.trained.epochs, 1))


def test_published_values_go_by_data_and_ipc() -> None:
    found = {ipc: method("mtt", data="cifar10", ipc=ipc) for ipc in (1, 10, 50)}
    assert [(each.inner, each.latest_start, each.trained.epochs, each.start_rate) for each in found.values()] == [  # type: ignore[attr-defined]
        (50, 2, 3, 0.01),
        (30, 20, 21, 0.001),
        (30, 40, 41, 0.001),
    ]
    assert method("mtt", data="digits", ipc=20) == replace(found[10], name="mtt")
    assert method("mtt", data="cifar10", ipc=10, preset="fast").trained.epochs == 6  # type: ignore[attr-defined]


def test_flat_experts_have_their_own_values_and_are_trained_and_kept_apart(tiny: DataSet) -> None:
    found = [method("ftd", data=data, ipc=ipc) for data, ipc in (("cifar10", 1), ("cifar100", 10), ("tinyimagenet", 50))]
    assert [(each.recipe.sharpness, each.recipe.gap, each.averaging, each.trained.epochs) for each in found] == [  # type: ignore[attr-defined]
        (0.01, 0.3, 0.9999, 3),
        (0.01, 0.3, 0.9995, 41),
        (0.01, 1.0, 0.999, 41),
    ]
    flat = replace(SMALL, recipe=found[0].recipe)  # type: ignore[attr-defined]
    plain_experts, flat_experts = opened(SMALL, tiny).experts[0], opened(flat, tiny).experts[0]
    assert all(torch.equal(*pair) for pair in zip(plain_experts[0], flat_experts[0], strict=True))
    assert not any(torch.equal(*pair) for pair in zip(plain_experts[1], flat_experts[1], strict=True) if pair[0].ndim > 1)
    assert not SMALL.missing(tiny)
    assert not flat.missing(tiny)


def of_size(classes: int, side: int, real: int) -> DataSet:
    """A set of the sizes of another one, whose images are all one."""

    def split(images: int) -> ClassImages:
        one = torch.zeros(1, 3, side, side, dtype=torch.uint8)
        return ClassImages(one, torch.zeros(classes * images, dtype=torch.int64), (images,) * classes)

    names, constants = tuple(str(label) for label in range(classes)), ((0.5,) * 3, (0.25,) * 3)
    return DataSet("of a size", split(real), split(1), split(1), names, *constants, flip=True, fingerprint="none")


SIZES = {"cifar10": (10, 32, 4500), "cifar100": (100, 32, 450), "tinyimagenet": (200, 64, 450)}


@pytest.mark.parametrize(("data", "ipc"), mtt.VALUES)
@pytest.mark.parametrize("experts", [10, 100])
def test_the_published_settings_are_taken_with_as_many_experts_as_are_published(data: str, ipc: int, experts: int) -> None:
    method("mtt", data=data, ipc=ipc, settings=(f"experts={experts}",)).check(of_size(*SIZES[data]), ipc)


def test_more_experts_than_can_be_kept_are_refused_with_what_changes_it() -> None:
    with pytest.raises(UserError, match=r"use fewer `experts` or a smaller `latest_start`"):
        method("mtt", data="cifar10", ipc=50, settings=("experts=1000",)).check(of_size(*SIZES["cifar10"]), 50)


def test_experts_are_those_published_with_the_preset_code(tiny: DataSet) -> None:
    for name in ("mtt", "ftd"):
        for preset, augmentation, experts in (("code", "dsa", 100), ("paper", "shift", 10), ("fast", "shift", 3)):
            composed = method(name, data=tiny, ipc=2, preset=preset)
            assert isinstance(composed, TrajectoryMatching)
            assert (composed.recipe.augment, composed.recipe.augmentation, composed.experts) == (True, augmentation, experts)
    drawn = [
        pretraining._batch(tiny, torch.arange(3), TrainingRecipe(augmentation=name), 0, 1)[0] for name in ("shift", "dsa", "dsa", "idc")
    ]
    assert torch.equal(drawn[1], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[3])
