from __future__ import annotations

import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import utils

from datastill.data import load
from datastill.data.tinyimagenet import read
from datastill.errors import UserError
from image_files import pixels, write_image

CLASSES = {"n03": "goldfish, Carassius auratus", "n01": "crane", "n02": "crane"}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    root = tmp_path / "tiny-imagenet-200"
    for number, identifier in enumerate(CLASSES):
        for image in range(3):
            write_image(root / "train" / identifier / "images" / f"{identifier}_{image}.JPEG", pixels(10 * number + image, 64, 64))
        (root / "train" / identifier / f"{identifier}_boxes.txt").write_text("0 0 1 1")
    write_image(root / "val" / "images" / "val_0.JPEG", np.full((64, 64), 40, dtype=np.uint8))
    write_image(root / "val" / "images" / "val_1.JPEG", np.full((64, 64, 3), 200, dtype=np.uint8))
    (root / "wnids.txt").write_text("n03\nn01\nn02\n")
    (root / "words.txt").write_text("".join(f"{identifier}\t{words}\n" for identifier, words in {**CLASSES, "n99": "unused"}.items()))
    (root / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn02\t0\t0\t9\t9\nval_1.JPEG\tn03\t0\t0\t9\t9\n")
    return root


def test_the_published_layout_is_read_in_its_own_order(published: Path) -> None:
    data = load(f"tinyimagenet:{published}", validation=0)
    assert data.class_names == ("goldfish", "crane (n01)", "crane (n02)")
    assert (data.size, data.channels, data.flip) == ((64, 64), 3, True)
    assert data.train.counts == (3, 3, 3)
    assert data.test.labels.tolist() == [0, 2]
    assert data.test.gather(torch.arange(2)).float().mean((1, 2, 3)).tolist() == [200, 40]
    assert data.mean == (0.485, 0.456, 0.406)


def test_it_is_found_under_the_data_folder(published: Path, data_folder: Path) -> None:
    assert published.parent == data_folder
    assert load("tinyimagenet@16", validation=0).size == (16, 16)


def test_without_words_the_identifiers_are_the_names(published: Path) -> None:
    (published / "words.txt").unlink()
    assert read(published, None).class_names == ("n03", "n01", "n02")


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("wnids.txt", "n03\nn77\n", "no images in train/n77/images"),
        ("wnids.txt", "\n", "wnids.txt is empty"),
        ("words.txt", "n03 goldfish\n", "expected two columns separated by a tab, found 'n03 goldfish'"),
        ("val/val_annotations.txt", "val_0.JPEG\tn55\t0\n", "names the class n55, which wnids.txt lacks"),
        ("val/val_annotations.txt", "", "val_annotations.txt is empty"),
        ("val/val_annotations.txt", "val_7.JPEG\tn03\n", r"val_7\.JPEG cannot be read as an image \(No such file"),
    ],
)
def test_another_layout_is_refused(published: Path, file: str, content: str, said: str) -> None:
    (published / file).write_text(content)
    with pytest.raises(UserError, match=said):
        read(published, None)


@pytest.mark.parametrize("file", ["wnids.txt", "val/val_annotations.txt"])
def test_a_missing_file_is_named(published: Path, file: str) -> None:
    (published / file).unlink()
    with pytest.raises(UserError, match=f"{file} cannot be read .No such file or directory"):
        read(published, None)


@pytest.fixture
def nowhere(cache: Path, no_data_folder: None) -> Path:
    return cache / "data"


@pytest.mark.parametrize("error", [urllib.error.URLError("offline"), RuntimeError("File not found or corrupted.")])
def test_no_network_is_one_line(nowhere: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(utils, "download_and_extract_archive", fail)
    with pytest.raises(UserError, match=r"TinyImageNet is neither under DATASTILL_DATA \(not set\).*tinyimagenet:PATH") as caught:
        read(None, None)
    assert "\n" not in str(caught.value)


def test_a_download_is_moved_into_its_place_only_when_whole(nowhere: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(url: str, root: str, extracted: str, **options: object) -> None:
        (Path(extracted) / "tiny-imagenet-200").mkdir(parents=True)
        (Path(extracted) / "tiny-imagenet-200" / "wnids.txt").write_text("n03\n")
        raise KeyboardInterrupt

    monkeypatch.setattr(utils, "download_and_extract_archive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(None, None)
    assert not (nowhere / "tiny-imagenet-200").exists()

    def finished(url: str, root: str, extracted: str, **options: object) -> None:
        published.rename(Path(extracted) / "tiny-imagenet-200")

    monkeypatch.setattr(utils, "download_and_extract_archive", finished)
    assert read(None, None).class_names[0] == "goldfish"
    assert (nowhere / "tiny-imagenet-200" / "wnids.txt").exists()
