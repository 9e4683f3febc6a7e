from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datastill.data import ClassImages, DataSet
from datastill.encoders import Epoch, PretrainedPool, TrainingRecipe, pretrain
from datastill.engine import Engine, Runner, Trainer
from datastill.errors import UserError
from datastill.files import checksum, load_tensors, save_tensors
from datastill.networks import build
from datastill.teachers import pretraining
from datastill.teachers.pool import batch_size, half_size_epochs, measured_on, pool_folder, pretraining_cost
from datastill.teachers.pretraining import accuracy
from doubles import KilledError, Training

RECIPE = TrainingRecipe(epochs=3, learning_rate=0.01)


pytestmark = pytest.mark.usefixtures("cache")


def test_a_second_call_trains_nothing(tiny: DataSet, training: Training) -> None:
    first = pretrain(tiny, "convnet", 2, RECIPE, Engine())
    assert len(training.sizes) == 2 * 3 * 2  # networks, epochs, batches of 16 out of 36 images
    assert set(training.sizes) == {16}
    assert pretrain(tiny, "convnet", 2, RECIPE, Engine()) == first
    assert len(training.sizes) == 12


def test_only_what_is_missing_is_trained(tiny: DataSet, training: Training) -> None:
    pool = pretrain(tiny, "convnet", 3, RECIPE, Engine())
    before = [member.path.read_bytes() for member in pool]
    tensors = load_tensors(pool[1].path)[0]
    pool[1].path.unlink()
    training.forget()
    again = pretrain(tiny, "convnet", 3, RECIPE, Engine())
    assert len(training.sizes) == 6
    assert [again[number].path.read_bytes() for number in (0, 2)] == [before[0], before[2]]
    assert checksum(load_tensors(again[1].path)[0]) == checksum(tensors)


def few(size: int = 32) -> DataSet:
    """Three classes of three images."""
    pixels = torch.randint(0, 256, (9, 3, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    split = ClassImages(pixels, torch.arange(9), (3,) * 3)
    return DataSet("few", split, split, split, ("a", "b", "c"), (0.5,) * 3, (0.25,) * 3, flip=True, fingerprint="few")


@pytest.mark.long
def test_the_bits_of_a_member_do_not_depend_on_how_many_are_trained_with_it() -> None:
    data, recipe = few(), TrainingRecipe(epochs=2, half_size=0.5)
    assert half_size_epochs(data, build("resnet18", channels=3, classes=3, size=(32, 32)), recipe) == 1
    last = pretrain(data, "resnet18", 2, recipe, Engine(micro_batch=4))[1].path
    together = load_tensors(last)[0]
    last.unlink()
    pretrain(data, "resnet18", 2, recipe, Engine(micro_batch=4))
    assert checksum(load_tensors(last)[0]) == checksum(together)


def test_the_networks_of_a_pool_are_compiled_once(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []

    def counted(engine: Engine, function: Callable[..., tuple[Tensor, ...]]) -> Callable[..., tuple[Tensor, ...]]:
        compiled.append(function)
        return function

    monkeypatch.setattr(Engine, "compile", counted)
    pretrain(tiny, "convnet", 3, RECIPE, Engine())
    assert len(compiled) == 2  # training, and measuring accuracy


def test_members_differ_and_data_and_recipe_have_pools_of_their_own(tiny: DataSet) -> None:
    one, two = pretrain(tiny, "convnet", 2, RECIPE, Engine())
    assert checksum(load_tensors(one.path)[0]) != checksum(load_tensors(two.path)[0])
    folders = {
        pool_folder(tiny, "convnet", RECIPE),
        pool_folder(tiny, "resnet18", RECIPE),
        pool_folder(tiny, "convnet", TrainingRecipe(epochs=3, learning_rate=0.02)),
    }
    assert len(folders) == 3
    assert tiny.fingerprint in str(one.path)


@pytest.mark.parametrize(("network", "momentum"), [("convnet", 0.9), ("convnet", 0.0), ("convnet-bn", 0.9)])
@pytest.mark.parametrize("kill_at", [0, 3, 4])
def test_a_killed_pretraining_goes_on_to_the_same_weights(
    tiny: DataSet, training: Training, kill_at: int, network: str, momentum: float
) -> None:
    recipe = TrainingRecipe(epochs=3, learning_rate=0.01, momentum=momentum)
    (whole,) = pretrain(tiny, network, 1, recipe, Engine())
    straight = load_tensors(whole.path)[0]
    whole.path.unlink()
    training.forget()
    training.kill_at = kill_at
    with pytest.raises(KilledError):
        pretrain(tiny, network, 1, recipe, Engine())
    folder = pool_folder(tiny, network, recipe)
    assert not (folder / "0.safetensors").exists()
    assert (folder / "0.partial.safetensors").exists() == (kill_at >= 2)
    training.forget()
    (member,) = pretrain(tiny, network, 1, recipe, Engine())
    assert len(training.sizes) == 6 - kill_at // 2 * 2  # whole epochs are kept
    found = load_tensors(member.path)[0]
    assert set(found) == set(straight)
    for name, value in found.items():
        assert torch.equal(value, straight[name]), name
    assert [path.name for path in folder.iterdir()] == ["0.safetensors"]


def test_a_damaged_epoch_is_begun_again(tiny: DataSet, training: Training, caplog: pytest.LogCaptureFixture) -> None:
    training.kill_at = 3
    with pytest.raises(KilledError):
        pretrain(tiny, "convnet", 1, RECIPE, Engine())
    training.forget()
    partial = pool_folder(tiny, "convnet", RECIPE) / "0.partial.safetensors"
    partial.write_bytes(partial.read_bytes()[:-100])
    (member,) = pretrain(tiny, "convnet", 1, RECIPE, Engine())
    assert "that network starts again" in caplog.text
    assert member.path.exists()


def test_the_network_has_learned_and_its_accuracy_is_that_of_the_held_out_images(tiny: DataSet) -> None:
    (member,) = pretrain(tiny, "convnet", 1, TrainingRecipe(epochs=10, learning_rate=0.01, augment=False), Engine())
    network = build("convnet", channels=3, classes=3, size=(8, 8))
    network.take(load_tensors(member.path)[0])
    split = tiny.validation
    hits = 0
    for position in range(len(split)):
        image = tiny.normalise(split.gather(torch.tensor([position])))
        hits += int(network(image).logits.argmax()) == int(split.labels[position])
    assert member.accuracy == pytest.approx(100 * hits / len(split))
    assert member.accuracy == 100  # a bright bar, at another place in every class
    assert accuracy(Runner(Engine(), network, ("logits",)), tiny.train, tiny) == 100


def test_without_a_hold_out_the_training_split_is_measured(tiny: DataSet, caplog: pytest.LogCaptureFixture) -> None:
    whole = replace(tiny, validation=tiny.train.split(0, "nothing")[1])
    assert len(whole.validation) == 0
    (member,) = pretrain(whole, "convnet", 1, TrainingRecipe(epochs=1, learning_rate=0.01), Engine())
    assert (member.accuracy * 36 / 100) == pytest.approx(round(member.accuracy * 36 / 100))
    assert [epoch.held_out for epoch in member.curve] == [None]
    assert "of the training split, as none are held out" in caplog.text
    assert measured_on(tiny) == f"the {len(tiny.validation)} images of the validation split"


def test_a_pool_without_a_network_is_refused(tiny: DataSet) -> None:
    with pytest.raises(UserError, match="at least one network, got 0"):
        PretrainedPool(count=0)
    with pytest.raises(UserError, match="`count` must be a whole number of at least 1, got 0"):
        pretrain(tiny, "convnet", 0, RECIPE, Engine())


@pytest.mark.parametrize(("epochs", "halved"), [(1, 0), (2, 1), (3, 2), (4, 3), (8, 6)])
def test_the_last_epoch_sees_whole_images(epochs: int, halved: int) -> None:
    model = build("resnet18", channels=3, classes=3, size=(32, 32))
    assert half_size_epochs(few(), model, TrainingRecipe(epochs=epochs, half_size=0.75)) == halved
    assert half_size_epochs(few(), model, TrainingRecipe(epochs=epochs, half_size=1)) == epochs - 1


@pytest.mark.parametrize(("network", "size", "halved"), [("resnet18", 32, 6), ("resnet18", 28, 0), ("resnet18", 31, 0), ("convnet", 32, 0)])
def test_only_a_resizable_network_sees_images_of_half_the_side(tiny: DataSet, network: str, size: int, halved: int) -> None:
    grown = replace(tiny.train, storage=torch.zeros(36, 3, size, size, dtype=torch.uint8))
    data = replace(tiny, train=grown)
    model = build(network, channels=3, classes=3, size=(size, size))
    assert half_size_epochs(data, model, TrainingRecipe(epochs=8, half_size=0.75)) == halved
    assert half_size_epochs(data, model, TrainingRecipe(epochs=8, half_size=0)) == 0
    whole, part = (pretraining_cost(data, model, TrainingRecipe(epochs=8, half_size=share)) for share in (0, 0.75))
    assert part / whole == pytest.approx((8 - 0.75 * halved) / 8)  # a quarter of the cost


def test_a_small_data_set_gets_small_batches(tiny: DataSet) -> None:
    assert batch_size(tiny, TrainingRecipe(batch=128)) == 16
    assert batch_size(tiny, TrainingRecipe(batch=8)) == 8


def test_accuracy_against_time_is_kept_and_goes_on_after_a_kill(tiny: DataSet, training: Training) -> None:
    training.kill_at = 2 * (36 // 16)
    with pytest.raises(KilledError):
        pretrain(tiny, "convnet", 1, RECIPE, Engine())
    training.forget()
    (member,) = pretrain(tiny, "convnet", 1, RECIPE, Engine())
    assert len(member.curve) == RECIPE.epochs
    times = [epoch.seconds for epoch in member.curve]
    assert times == sorted(times)
    assert member.seconds == times[-1] > 0
    assert all(0 <= epoch.accuracy <= 100 for epoch in member.curve)
    assert all(epoch.held_out is not None and 0 <= epoch.held_out <= 100 for epoch in member.curve)
    assert member.curve[-1].held_out == member.accuracy


def test_measuring_accuracy_is_outside_the_clock(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def measured(*arguments: object) -> float:
        nonlocal now
        now += 1000
        return 50.0

    def stepped(trainer: Trainer, images: Tensor, labels: Tensor) -> tuple[float, int]:
        nonlocal now
        now += 1
        trainer.correct = torch.arange(16) < 8
        return 0.0, 8

    monkeypatch.setattr(pretraining, "accuracy", measured)
    monkeypatch.setattr(Trainer, "step", stepped)
    monkeypatch.setattr("time.monotonic", lambda: now)
    (member,) = pretrain(tiny, "convnet", 1, RECIPE, Engine())
    assert member.curve == tuple(Epoch(2.0 * number, 50.0, 50.0) for number in (1, 2, 3))  # two steps of half the batch right


def test_files_of_earlier_versions_have_no_held_out_accuracy_by_epoch(tiny: DataSet) -> None:
    (member,) = pretrain(tiny, "convnet", 1, RECIPE, Engine())
    tensors, metadata = load_tensors(member.path)
    save_tensors(member.path, tensors, {**metadata, "curve": "[[1.5, 40.0], [3.0, 50.0], [4.5, 60.0]]"})
    (again,) = pretrain(tiny, "convnet", 1, RECIPE, Engine())
    assert again.curve == (Epoch(1.5, 40), Epoch(3, 50), Epoch(4.5, 60))
    assert again.curve[-1].held_out is None


def test_a_pool_can_be_kept_elsewhere_than_in_the_cache(tiny: DataSet, tmp_path: Path, cache: Path) -> None:
    (member,) = pretrain(tiny, "convnet", 1, RECIPE, Engine(), cache=tmp_path / "own")
    assert member.path.is_relative_to(tmp_path / "own")
    assert not cache.exists()
    (other,) = pretrain(tiny, "convnet", 1, RECIPE, Engine())
    assert other.path.is_relative_to(cache)
    assert checksum(load_tensors(other.path)[0]) == checksum(load_tensors(member.path)[0])
