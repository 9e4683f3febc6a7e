from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from datastill.data import CATALOGUE, load, parse
from datastill.errors import UserError
from image_files import write_classes


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion-mnist", "svhn", "cifar10", "cifar100", "tinyimagenet"])
def test_every_published_name_parses_without_a_path(name: str) -> None:
    assert parse(name) == (name, None, None)
    assert parse(f"{name}@16") == (name, None, (16, 16))


def test_path_and_size_are_taken_apart() -> None:
    assert parse("folder:a:b@64x48") == ("folder", Path("a:b"), (64, 48))
    assert parse("parquet:~/x") == ("parquet", Path.home() / "x", None)
    assert parse("folder:photos@2x") == ("folder", Path("photos@2x"), None)
    assert parse("tinyimagenet:/t") == ("tinyimagenet", Path("/t"), None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cifr10", "Did you mean 'cifar10'"),
        ("CIFAR10", "Did you mean 'cifar10'"),
        ("fashionmnist", "Did you mean 'fashion-mnist'"),
        ("xyzzy", "folder:PATH or parquet:PATH"),
        ("", "is not a data set"),
        ("folder", "needs a path, as in folder:PATH"),
        ("parquet:@32", "needs a path"),
        ("mnist:/data", "takes no path, got '/data'"),
        ("digits@3", "from 4 to 1024 pixels, got 3x3"),
        ("digits@16x2048", "got 16x2048"),
    ],
)
def test_a_wrong_name_gets_its_own_line(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        load(name)
    assert "\n" not in str(caught.value)


def test_digits_are_the_default_and_lose_no_image(caplog: pytest.LogCaptureFixture) -> None:
    data = load()
    bunch = load_digits()
    assert (data.name, data.classes, data.channels, data.size, data.flip) == ("digits", 10, 1, (8, 8), False)
    assert data.class_names == tuple("0123456789")
    assert "no test split: 20% of every class" in caplog.text
    parts = [data.train, data.validation, data.test]
    for digit in range(10):
        whole = np.rint(bunch.images[bunch.target == digit] * 255 / 16).astype(np.uint8)
        found = np.concatenate([part.gather((part.labels == digit).nonzero().flatten()).numpy()[:, 0] for part in parts])
        assert sorted(image.tobytes() for image in whole) == sorted(image.tobytes() for image in found)
        count = len(whole)
        assert data.test.counts[digit] == round(0.2 * count)
        assert data.validation.counts[digit] == round(0.1 * (count - round(0.2 * count)))


def test_statistics_come_from_the_training_split_alone() -> None:
    data = load("digits")
    values = data.train.gather(torch.arange(len(data.train))).double() / 255
    assert data.mean == pytest.approx([float(values.mean())], abs=1e-12)
    assert data.std == pytest.approx([float(values.std(correction=0))], abs=1e-12)
    assert CATALOGUE["cifar10"].statistics == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))


def test_the_same_images_give_the_same_fingerprint_and_others_another() -> None:
    assert load("digits").fingerprint == load("digits").fingerprint
    assert load("digits").fingerprint != load("digits", validation=0).fingerprint
    assert load("digits").fingerprint != load("digits@9").fingerprint


def test_a_size_brings_every_split_to_it() -> None:
    data = load("digits@12x16")
    assert data.size == data.test.size == data.validation.size == (12, 16)
    assert len(data.test) == len(load("digits").test)


@pytest.mark.parametrize("share", [-0.1, 0.6, float("nan")])
def test_validation_must_be_a_share(share: float) -> None:
    with pytest.raises(UserError, match=r"`validation` must be a finite number from 0 to 0.5"):
        load("digits", validation=share)


def test_no_validation_leaves_all_to_training() -> None:
    data = load("digits", validation=0)
    assert len(data.validation) == 0
    assert len(data.train) + len(data.test) == 1797
    with pytest.raises(UserError, match="no 'validation' split; it has: train, test"):
        data.split("validation")


def test_a_class_too_small_to_hold_out_from_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, {"cat": 3, "dog": 2})
    with pytest.raises(UserError, match=r"class 'dog' has 2 training images, but 3 are needed"):
        load(f"folder:{tmp_path}")
    assert load(f"folder:{tmp_path}", validation=0).train.counts == (2, 1)


def test_uneven_classes_keep_at_least_one_image_everywhere(tmp_path: Path) -> None:
    write_classes(tmp_path, {"many": 40, "few": 3, "some": 10})
    data = load(f"folder:{tmp_path}")
    assert data.class_names == ("few", "many", "some")
    assert data.test.counts == (1, 8, 2)
    assert data.validation.counts == (1, 3, 1)
    assert data.train.counts == (1, 29, 7)


def test_one_class_is_none(tmp_path: Path) -> None:
    write_classes(tmp_path, {"only": 5})
    with pytest.raises(UserError, match=r"one class only \('only'\)"):
        load(f"folder:{tmp_path}")


def test_a_class_missing_from_the_test_split_is_said_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_classes(tmp_path / "train", {"cat": 4, "dog": 4, "eel": 4})
    write_classes(tmp_path / "test", {"cat": 1, "eel": 2}, first_seed=50)
    with caplog.at_level(logging.WARNING):
        data = load(f"folder:{tmp_path}")
    assert data.test.counts == (1, 0, 2)
    assert data.test.labels.tolist() == [0, 2, 2]
    assert "no test image of 1 class(es): dog" in caplog.text


@pytest.mark.long
@pytest.mark.real
def test_cifar10_is_whole(real_data: Path) -> None:
    if not (real_data / "cifar10").is_dir():
        pytest.skip("no cifar10 under DATASTILL_DATA")
    data = load("cifar10")
    assert (data.train.counts, data.validation.counts, data.test.counts) == ((4500,) * 10, (500,) * 10, (1000,) * 10)
    assert data.class_names[:3] == ("airplane", "automobile", "bird")
    values = data.train.gather(torch.arange(len(data.train))).float().mean((0, 2, 3)) / 255
    torch.testing.assert_close(values, torch.tensor([0.4914, 0.4822, 0.4465]), atol=2e-3, rtol=0)


def test_some_classes_are_named_in_brackets() -> None:
    some, whole = load("digits[0-2,7]"), load("digits")
    assert (some.name, some.class_names, some.test.counts[3]) == ("digits[0-2,7]", ("0", "1", "2", "7"), whole.test.counts[7])
    assert load(some.name).fingerprint == some.fingerprint != whole.fingerprint
    assert load("digits[0-4][1,2]").class_names == ("1", "2")
    assert parse("folder:photos@64[0-1]") == ("folder", Path("photos"), (64, 64))


def test_a_folder_whose_name_ends_like_a_choice_of_classes_is_read(tmp_path: Path) -> None:
    name = f"folder:{tmp_path / 'scans[0-1]'}"
    write_classes(tmp_path / "scans[0-1]", {"a": 4, "b": 4, "c": 4})
    assert load(name).class_names == ("a", "b", "c")
    assert load(f"{name}@8[1,2]").class_names == load(f"{name}[1,2]").class_names == ("b", "c")
    write_classes(tmp_path / "scans", {"x": 4, "y": 4, "z": 4})
    assert load(name).class_names == ("x", "y")  # a folder without that ending comes first, as it does with a size


@pytest.mark.parametrize("name", ["digits[3-1]", "digits[0-999999]", "digits[4]", "digits[8-11]"])
def test_brackets_that_choose_no_classes_are_refused(name: str) -> None:
    with pytest.raises(UserError):
        load(name)
