"""A split as a user reads it: its own images and labels, never those of the split that it was cut from."""

from __future__ import annotations

import torch

from datastill import load
from datastill.data import DataSet


def test_the_images_of_a_split_are_its_own() -> None:
    data = load("digits")
    splits = {name: data.split(name) for name in ("train", "validation", "test")}
    assert {name: split.images.shape for name, split in splits.items()} == {name: (len(split), 1, 8, 8) for name, split in splits.items()}
    assert sum(len(split) for split in splits.values()) == 1797
    for split in splits.values():
        assert split.images.dtype == torch.uint8
        assert len(split.images) == len(split.labels)
        assert torch.equal(split.images[5], split.gather(torch.tensor([5]))[0])


def test_images_are_a_copy(tiny: DataSet) -> None:
    before = tiny.test.images
    tiny.test.images.zero_()
    assert torch.equal(tiny.test.images, before)


def test_there_is_no_attribute_that_holds_the_images_of_all_splits_under_a_name_like_theirs() -> None:
    """``data.test.pixels`` once was the whole data set, the training images included."""
    test = load("digits").test
    sizes = {name: len(getattr(test, name)) for name in ("images", "labels", "pixels", "data", "targets") if hasattr(test, name)}
    assert sizes == {"images": len(test), "labels": len(test)}
