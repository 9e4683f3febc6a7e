"""Snapshots of training runs: which are kept, that they are those of a plain run, and that nothing is lost or believed that is not so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from datastill.data import DataSet
from datastill.encoders import RECIPES, Snapshots, TrainingRecipe, pretrain
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import load_tensors, locked, save_tensors
from datastill.teachers.pool import moments_of
from datastill.teachers.trajectories import Trajectory, kept, trajectories
from doubles import Training

RECIPE = TrainingRecipe(schedule="constant", epochs=3, learning_rate=0.01, augment=False)
"""Three epochs of two steps with 36 images."""
EXACT = Snapshots(type="float32", early=1, parts=2)


FLAT = replace(RECIPE, sharpness=0.05, gap=0.3)


def runs(data: DataSet, cache: Path, count: int = 1, snapshots: Snapshots = EXACT, recipe: TrainingRecipe = RECIPE) -> list[Trajectory]:
    return trajectories(data, "convnet", count, recipe, snapshots, Engine(), cache=cache)


@pytest.mark.parametrize(
    ("snapshots", "epochs", "steps", "moments"),
    [
        (Snapshots(every=1, early=0), 3, 10, (0, 10, 20, 30)),
        (Snapshots(every=2, early=0), 3, 10, (0, 20, 30)),
        (Snapshots(every=9, early=0), 3, 10, (0, 30)),
        (Snapshots(every=1, early=1, parts=4), 3, 8, (0, 2, 4, 6, 8, 16, 24)),
        (Snapshots(every=1, early=9, parts=2), 2, 1, (0, 1, 2)),
    ],
)
def test_the_moments_that_are_kept(snapshots: Snapshots, epochs: int, steps: int, moments: tuple[int, ...]) -> None:
    assert snapshots.moments(epochs, steps) == moments


def test_snapshots_are_the_weights_of_shorter_runs(tiny: DataSet, tmp_path: Path) -> None:
    one, other = runs(tiny, tmp_path, 2)
    assert list(one.epochs) == [0, 0.5, 1, 2, 3]
    for run, index in ((one, 0), (other, 1)):
        for epochs in (1, 2, 3):
            member = pretrain(tiny, "convnet", 2, replace(RECIPE, epochs=epochs), Engine(), cache=tmp_path)[index]
            snapshot = run.snapshots[run.epochs.index(epochs)]
            assert all(torch.equal(snapshot[name], value) for name, value in member.weights.items())
            assert run.accuracies[run.epochs.index(epochs)] == pytest.approx(member.curve[-1].accuracy / 100, abs=1e-4)
    assert one.accuracies[0] == 0
    assert not torch.equal(one.snapshots[0]["classifier.weight"], other.snapshots[0]["classifier.weight"])


def test_a_shorter_run_is_the_beginning_of_a_longer_one(tiny: DataSet, tmp_path: Path, training: Training) -> None:
    steady = replace(RECIPE, half_size=0)
    alone = runs(tiny, tmp_path / "alone", 2, recipe=replace(steady, epochs=2))
    runs(tiny, tmp_path / "both", 1, recipe=replace(steady, epochs=4))
    training.forget()
    first, second = runs(tiny, tmp_path / "both", 2, recipe=replace(steady, epochs=2))
    assert len(training.images) == 4  # two epochs of two steps of the second
    assert first.path.parent != second.path.parent
    for one, other in zip((first, second), alone, strict=True):
        assert (one.epochs, one.accuracies) == (other.epochs, other.accuracies)
        for mine, theirs in zip(one.snapshots, other.snapshots, strict=True):
            assert all(torch.equal(mine[name], value) for name, value in theirs.items())
    assert len(kept(tiny, "convnet", 2, replace(steady, epochs=2), EXACT, cache=tmp_path / "both")) == 2


@pytest.mark.parametrize(
    "changes", [{"schedule": "one-cycle"}, {"half_size": 0.5}, {"learning_rate": 0.02}, {"epochs": 5}], ids=lambda each: next(iter(each))
)
def test_a_run_that_takes_other_steps_is_not_read_in_place_of_a_shorter_one(tiny: DataSet, tmp_path: Path, changes: dict[str, Any]) -> None:
    longer = replace(RECIPE, half_size=0, epochs=4)
    wanted = replace(longer, **{"epochs": 2, **changes})
    runs(tiny, tmp_path, recipe=replace(longer, **{name: value for name, value in changes.items() if name in ("schedule", "half_size")}))
    assert not kept(tiny, "convnet", 1, wanted, EXACT, cache=tmp_path)


def test_a_run_with_other_snapshots_is_not_read_in_place_of_a_shorter_one(tiny: DataSet, tmp_path: Path) -> None:
    steady, rare = replace(RECIPE, half_size=0, epochs=4), Snapshots(type="float32", every=4, early=0)
    runs(tiny, tmp_path, recipe=steady, snapshots=rare)
    assert not kept(tiny, "convnet", 1, replace(steady, epochs=2), rare, cache=tmp_path)


def test_half_the_bytes_keep_three_digits(tiny: DataSet, tmp_path: Path) -> None:
    (exact,), (half,) = runs(tiny, tmp_path), runs(tiny, tmp_path, snapshots=replace(EXACT, type="float16"))
    assert half.path.stat().st_size < 0.51 * exact.path.stat().st_size
    for one, two in zip(exact.snapshots, half.snapshots, strict=True):
        assert all(value.dtype == torch.float16 for value in two.values())
        assert all(torch.equal(one[name].half(), value) for name, value in two.items())
    assert half.accuracies == exact.accuracies


@pytest.mark.parametrize(("step", "recipe"), [(1, RECIPE), (3, RECIPE), (5, RECIPE), (3, FLAT)])
def test_no_step_is_taken_twice_and_the_file_is_the_same(
    tiny: DataSet, tmp_path: Path, training: Training, step: int, recipe: TrainingRecipe
) -> None:
    (straight,) = runs(tiny, tmp_path / "straight", recipe=recipe)
    training.forget()
    training.interrupt_at = step
    with pytest.raises(KeyboardInterrupt):
        runs(tiny, tmp_path / "stopped", recipe=recipe)
    (found,) = runs(tiny, tmp_path / "stopped", recipe=recipe)
    assert len(training.sizes) == 6
    assert found.accuracies == straight.accuracies
    one, other = (load_tensors(run.path)[0] for run in (found, straight))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], value) for name, value in other.items())
    assert [path.name for path in found.path.parent.iterdir()] == [found.path.name]


def test_runs_that_are_there_are_read_and_none_is_trained_again(tiny: DataSet, tmp_path: Path, training: Training) -> None:
    first = runs(tiny, tmp_path)
    training.forget()
    assert runs(tiny, tmp_path) == first
    assert not training.sizes
    more = runs(tiny, tmp_path, 2)
    assert len(training.sizes) == 6
    assert more[:1] == first == kept(tiny, "convnet", 1, RECIPE, EXACT, cache=tmp_path)
    assert kept(tiny, "convnet", 1, RECIPE, Snapshots(), cache=tmp_path) == []


def test_what_another_process_trains_is_waited_for(tiny: DataSet, tmp_path: Path) -> None:
    (run,) = runs(tiny, tmp_path)
    with locked(run.path, "what another process trains"):  # it is there: nothing to wait for
        assert runs(tiny, tmp_path) == [run]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({"fingerprint": "another"}, "belongs to another network: its fingerprint is another"),
        ({"seed": "5"}, "belongs to another network: its seed is 5"),
        ({"snapshots": '{"every": 7}'}, "holds other snapshots"),
        ({"accuracies": "[0, 2]"}, "expected 5 accuracies from 0 to 1"),
        ({"accuracies": "["}, "damaged"),
        ({"seconds": "-1"}, "damaged"),
    ],
)
def test_a_file_of_something_else_is_refused_in_one_line(tiny: DataSet, tmp_path: Path, text: dict[str, str], said: str) -> None:
    (run,) = runs(tiny, tmp_path)
    tensors, before = load_tensors(run.path)
    save_tensors(run.path, tensors, {**{key: value for key, value in before.items() if key != "checksum"}, **text})
    with pytest.raises(UserError, match=said) as caught:
        runs(tiny, tmp_path)
    assert "remove it to have it trained again" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_and_missing_weights_are_refused(tiny: DataSet, tmp_path: Path) -> None:
    (run,) = runs(tiny, tmp_path)
    content = run.path.read_bytes()
    run.path.write_bytes(content[:-4] + bytes(4 * [7]))
    with pytest.raises(UserError, match="remove it to have it trained again"):
        runs(tiny, tmp_path)
    run.path.write_bytes(content)
    tensors, text = load_tensors(run.path)
    tensors.pop("6/classifier.bias")
    save_tensors(run.path, tensors, {key: value for key, value in text.items() if key != "checksum"})
    with pytest.raises(UserError, match=r"'6/classifier.bias' must be float32 \(3,\), got absent"):
        runs(tiny, tmp_path)


def test_what_was_left_of_another_run_is_told_and_not_used(tiny: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (run,) = runs(tiny, tmp_path)
    run.path.rename(run.path.with_name(f"{run.path.stem}.partial.safetensors"))
    (again,) = runs(tiny, tmp_path)
    assert again.accuracies == run.accuracies
    assert sum("that run starts again" in record.getMessage() for record in caplog.records) == 1


def test_more_than_some_hundred_megabytes_are_refused_before_anything_is_trained(tiny: DataSet, tmp_path: Path, training: Training) -> None:
    with pytest.raises(UserError, match=r"50000 runs of convnet with 5 snapshots each would take [\d,]+ MB, more than 537: use a smaller"):
        runs(tiny, tmp_path, 50_000)
    assert not training.sizes
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"every": 0}, "every and parts of at least 1"),
        ({"parts": 0}, "every and parts of at least 1"),
        ({"early": -1}, "early of at least 0"),
        ({"type": "int8"}, "float16 or float32, got the type 'int8'"),
        ({"every": 1.5}, "whole number"),
    ],
)
def test_snapshots_that_cannot_be_are_refused(fields: dict[str, float], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Snapshots(**fields)  # type: ignore[arg-type]  # on purpose


def test_the_recipe_trains_as_the_queue_of_idm_and_a_small_set_has_fewer_moments(tiny: DataSet) -> None:
    recipe = RECIPES["trajectory"]
    assert (recipe.schedule, recipe.learning_rate, recipe.batch, recipe.augment) == ("constant", 0.01, 256, False)
    assert moments_of(tiny, RECIPE, Snapshots(early=3, parts=50)) == (0, 1, 2, 3, 4, 5, 6)
