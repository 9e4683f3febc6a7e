from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.encoders import Encoder, FreshNetwork, Snapshots, TrainingRecipe, TrajectoryNetwork
from datastill.encoders.trajectory import TrajectorySession
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.teachers.trajectories import kept, trajectories
from small_methods import matching, opened
from small_methods import small as method

RECIPE = TrainingRecipe(schedule="constant", epochs=4, learning_rate=0.01, augment=False)
EXACT = Snapshots(type="float32", early=1, parts=2)
SMALL = TrajectoryNetwork(count=2, recipe=RECIPE, snapshots=EXACT)
EPOCHS = (0, 0.5, 1, 2, 3, 4)


def session(encoder: Encoder, data: DataSet, seed: int = 0) -> TrajectorySession:
    found = encoder.open(data, Engine(), seed, ("embedding", "logits"))
    assert isinstance(found, TrajectorySession)
    return found


def weight(found: TrajectorySession) -> Tensor:
    return found.network.weights()["classifier.weight"].clone()


def test_it_draws_a_snapshot_between_the_epochs_by_seed_and_iteration(tiny: DataSet) -> None:
    encoder = replace(SMALL, first=1, last=3)
    one, other, elsewhere = session(encoder, tiny), session(encoder, tiny), session(encoder, tiny, seed=1)
    runs = trajectories(tiny, "convnet", 2, RECIPE, EXACT, Engine())
    drawn = [one.drawn(iteration) for iteration in range(120)]
    assert {(run, EPOCHS[place]) for run, place in drawn} == {(run, epoch) for run in (0, 1) for epoch in (1, 2, 3)}
    assert all(8 < drawn.count(pair) < 35 for pair in set(drawn))
    assert [elsewhere.drawn(iteration) for iteration in range(120)] != drawn
    for iteration in (7, 3, 90, 3):  # whatever was drawn before
        one.begin(iteration)
        other.begin(iteration)
        run, place = drawn[iteration]
        assert torch.equal(weight(one), runs[run].snapshots[place]["classifier.weight"])
        assert torch.equal(weight(one), weight(other))
        assert one.accuracy == runs[run].accuracies[place] > 0
        assert one.member == other.member == 6 * run + place
    assert one.state() == {}
    assert len(one.checksums()) == 2


def test_between_a_snapshot_and_the_first_weights(tiny: DataSet) -> None:
    found = session(replace(SMALL, first=9, interpolate=True), tiny)
    runs = trajectories(tiny, "convnet", 2, RECIPE, EXACT, Engine())
    shares = []
    for iteration in range(30):
        found.begin(iteration)
        run, place = found.drawn(iteration)
        assert place == 5  # past the end is the end
        first, last = (runs[run].snapshots[at]["classifier.weight"] for at in (0, 5))
        share = float((weight(found) - last).flatten() @ (first - last).flatten() / (first - last).square().sum())
        torch.testing.assert_close(weight(found), (1 - share) * last + share * first, rtol=1e-4, atol=1e-6)
        shares.append(share)
        assert found.member is None
        assert found.accuracy == 0
    assert 0 <= min(shares) < 0.2 < 0.8 < max(shares) < 1
    assert replace(SMALL, interpolate=True).fixed == 0
    assert SMALL.fixed > 0


def test_a_later_snapshot_is_of_the_same_run_and_at_most_so_much_later(tiny: DataSet) -> None:
    now, then = session(SMALL, tiny), session(replace(SMALL, later=2), tiny)
    gaps = set()
    for iteration in range(200):
        (run, place), (same, after) = now.drawn(iteration), then.drawn(iteration)
        assert same == run
        assert after > place or place == after == 5  # nothing is later than the end
        assert EPOCHS[after] - EPOCHS[place] <= 2
        gaps.add(EPOCHS[after] - EPOCHS[place])
    assert gaps == {0, 0.5, 1, 1.5, 2}


@pytest.mark.parametrize("base", ["dm", "idm", "m3d"])
def test_any_method_takes_it_by_name(tiny: DataSet, base: str) -> None:
    settings = ["matching=trajectory", "matching.recipe.epochs=2", "matching.count=2", "matching.last=1.5"]
    composed = matching(base, settings=["real_batch=7", *settings])
    found = composed.encoders["matching"]
    assert isinstance(found, TrajectoryNetwork)
    assert (found.recipe.epochs, found.count, found.last, found.network) == (2, 2, 1.5, "convnet")
    stepper = opened(composed, tiny)
    figures = [stepper.step(iteration)["loss"] for iteration in range(2)]
    again = opened(composed, tiny)
    assert [again.step(iteration)["loss"] for iteration in range(2)] == figures


def test_it_is_measured_without_being_trained_and_its_training_is_foretold(tiny: DataSet, cache: Path) -> None:
    composed = method("dm", encoders={"matching": SMALL})
    (missing,) = composed.missing(tiny)
    assert (missing.network, missing.count, missing.size) == ("convnet", 2, composed.encoders["matching"].memory(tiny) // 2)
    assert composed.measure(tiny, Engine(), 2, 0, 10)
    assert composed.pretraining_seconds(tiny) == 0
    assert not cache.exists()
    opened(composed, tiny)
    assert composed.missing(tiny) == ()
    assert composed.pretraining_seconds(tiny) > 0


def test_a_run_that_two_encoders_read_is_trained_and_counted_once(tiny: DataSet, cache: Path) -> None:
    one, two = replace(SMALL, count=1), SMALL
    composed = method("dm+cal", encoders={"matching": one, "expert": replace(two, later=1)})
    (missing,) = composed.missing(tiny)
    assert missing.count == 2
    opened(composed, tiny)
    runs = kept(tiny, SMALL.network, 2, SMALL.recipe, SMALL.snapshots)
    assert composed.pretraining_seconds(tiny) == sum(run.seconds for run in runs) > 0


def test_its_targets_can_be_kept_unless_it_interpolates(tiny: DataSet, cache: Path) -> None:
    composed = method("dm", "matching=trajectory", "matching.recipe.epochs=1", "matching.targets=1", "matching.count=1")
    stepper = opened(composed, tiny)
    stepper.step(0)
    assert list((cache / "targets").rglob("*.safetensors"))
    with pytest.raises(UserError, match="only for networks that recur"):
        method("dm", "matching=trajectory", "matching.interpolate=yes", "matching.targets=1").check(tiny, 2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["matching=trajectories"], "unknown encoder 'trajectories'"),
        (["matching=trajectory", "matching.count=0"], "at least one run, got 0"),
        (["matching=trajectory", "matching.first=3", "matching.last=2"], "0 <= first <= last"),
        (["matching=trajectory", "matching.later=-1"], "later of at least 0"),
        (["mm=trajectory"], "'mm'"),
        (["encoders=trajectory"], "'encoders'"),
    ],
)
def test_what_it_cannot_be_is_refused_in_one_line(settings: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        matching("dm", settings=settings)
    assert "\n" not in str(caught.value)


def test_every_encoder_has_a_name_of_its_own() -> None:
    assert Encoder.named("fresh") == FreshNetwork()
    for name in ("fresh", "queue", "growing", "pretrained", "trajectory"):
        assert type(Encoder.named(name)).called == name
