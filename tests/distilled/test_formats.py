from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import ImageFolder

from datastill import DistilledSet, export
from datastill.data.image_folder import folder_names
from datastill.errors import UserError
from tiny_sets import distilled_set, same_bits

NAMES: dict[str, tuple[str, ...]] = {
    "sorted": ("cat", "dog", "ship"),
    "not sorted": ("ship", "cat", "dog"),
    "slashes": ("a/b", "a", "c\\d"),
    "spaces": (" leading", "in side", "trailing "),
    "the same twice": ("cat", "cat", "dog"),
    "the same once made safe": ("a/b", "a_b", "a?b"),
    "dots": (".", "..", "..."),
    "upwards": ("../../up", "/etc/passwd", "a/../../../up"),
    "hidden": (".git", ".ssh", "x"),
    "only case differs": ("CAT", "Cat", "cat"),
    "other scripts": ("Käse", "猫", "🐈"),
    "empty": ("", " ", "\t"),
    "control characters": ("a\nb", "a\0b", "\x1b[2J"),
    "long": ("x" * 300, "猫" * 300, "y"),
    "twelve numbers": tuple(str(number) for number in range(12)),
    "devices": ("C:", "~", "-rf"),
}


def read_back(folder: Path) -> tuple[list[int], list[torch.Tensor]]:
    images = ImageFolder(str(folder))
    pixels = [torch.from_numpy(np.array(image)).permute(2, 0, 1) for image, _ in images]
    return [label for _, label in images.samples], pixels


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_image_folder_reads_labels_and_pixels_in_the_order_of_the_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    content = distilled_set(names, ipc=2)
    target = tmp_path / "deep" / "inside" / "folder"
    outside = set(tmp_path.parent.iterdir())
    assert export(content, target, "folder") == target
    labels, pixels = read_back(target)
    assert labels == content.labels.tolist()
    assert all(torch.equal(image, expected) for image, expected in zip(pixels, content.pixels, strict=True))
    assert set(tmp_path.parent.iterdir()) == outside
    assert list(tmp_path.iterdir()) == [tmp_path / "deep"]
    assert list(target.parent.iterdir()) == [target]
    beside = {path.name for path in target.iterdir() if path.is_file()}
    assert beside == {"README.md", "normalisation.json"}
    assert all(path.parent.parent == target for path in tmp_path.rglob("*.png"))


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_folder_names_sort_like_the_classes_on_every_file_system(names: tuple[str, ...]) -> None:
    folders = folder_names(names)
    assert folders == sorted(folders)
    assert len({name.casefold() for name in folders}) == len(names)
    assert all(len(name.encode()) <= 255 and not set(name) & set("/\\\0\n\x1b") and name.strip(" .") for name in folders)


def test_folder_names_are_the_class_names_where_those_will_do() -> None:
    assert folder_names(("cat", "dog", "ship (small)")) == ["cat", "dog", "ship (small)"]
    assert folder_names(("ship", "a/b")) == ["0_ship", "1_a_b"]


def test_gray_images_and_classes_of_different_sizes(tmp_path: Path) -> None:
    whole = distilled_set(channels=1, ipc=3)
    rows = torch.tensor([8, 0, 3, 4, 5, 1])  # one of class 2 first, then two of class 0 and three of class 1
    part = replace(whole, images=whole.images[rows], labels=whole.labels[rows])
    export(part, tmp_path / "folder", "folder")
    labels, pixels = read_back(tmp_path / "folder")
    assert labels == [0, 0, 1, 1, 1, 2]
    for image, row in zip(pixels, [0, 1, 3, 4, 5, 8], strict=True):
        assert torch.equal(image, whole.pixels[row].expand(3, -1, -1))


def test_a_class_without_images_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    whole = distilled_set()
    part = replace(whole, images=whole.images[:4], labels=whole.labels[:4])
    with pytest.raises(UserError, match="no image of the class 'ship'"):
        export(part, tmp_path / "folder", "folder")
    assert not (tmp_path / "folder").exists()


def test_the_tensor_file_is_what_the_published_evaluators_read(tmp_path: Path) -> None:
    content = distilled_set()
    path = export(content, tmp_path / "set.pt", "dc")
    loaded = torch.load(path, weights_only=True)
    images, labels = loaded["data"][-1]
    assert same_bits(images, content.images)
    assert torch.equal(labels, content.labels)
    assert labels.dtype == torch.int64
    assert images.is_leaf
    assert set(loaded) == {"data"}


def test_parts_are_images_of_their_own_where_programs_know_nothing_of_parts(tmp_path: Path) -> None:
    content = distilled_set(size=(8, 8), factor=2)
    images, labels = content.expanded()
    loaded = torch.load(export(content, tmp_path / "set.pt", "dc"), weights_only=True)["data"][-1]
    assert same_bits(loaded[0], images)
    assert torch.equal(loaded[1], labels)
    found, pixels = read_back(export(content, tmp_path / "folder", "folder"))
    assert found == labels.tolist()
    expected = replace(content, images=images.contiguous(), labels=labels, origin=replace(content.origin, factor=1)).pixels
    assert all(torch.equal(image, other) for image, other in zip(pixels, expected, strict=True))
    kept = DistilledSet.load(export(content, tmp_path / "hub", "parquet"))
    assert same_bits(kept.images, content.images)
    assert kept.origin.factor == 2


def test_an_export_for_the_hub_is_a_set_again(tmp_path: Path) -> None:
    content = distilled_set()
    export(content, tmp_path / "hub", "parquet")
    assert same_bits(DistilledSet.load(tmp_path / "hub").images, content.images)
    assert (tmp_path / "hub" / "grid.png").exists()


@pytest.mark.parametrize("format", ["folder", "dc", "parquet"])
def test_what_exists_is_not_overwritten(tmp_path: Path, format: str) -> None:
    (tmp_path / "file").write_text("precious")
    for target in (tmp_path, tmp_path / "file"):
        with pytest.raises(UserError, match="already exists; choose another place"):
            export(distilled_set(), target, format)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("format", ["folder", "dc", "parquet"])
def test_a_target_that_cannot_be_made_is_named(tmp_path: Path, format: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*file/below"):
        export(distilled_set(), tmp_path / "file" / "below", format)


def test_an_unknown_format_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown format 'parket'\. Did you mean 'parquet'"):
        export(distilled_set(), tmp_path / "x", "parket")
    assert not os.listdir(tmp_path)  # noqa: PTH208
