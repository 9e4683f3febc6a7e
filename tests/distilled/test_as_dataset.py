"""A distilled set and the splits of a data set as torch and `datasets` take them."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset, TensorDataset
from torchvision import transforms as v1
from torchvision.transforms import v2

from datastill import UserError, load
from datastill.data import DataSet
from tiny_sets import MEAN, STD, data_set, distilled_set, same_bits, soft_set


def test_a_loader_gives_what_networks_are_trained_on() -> None:
    whole = distilled_set()
    batches = list(DataLoader(whole, batch_size=4))
    assert [len(labels) for _, labels in batches] == [4, 2]
    assert same_bits(torch.cat([images for images, _ in batches]), whole.images)
    assert torch.cat([labels for _, labels in batches]).tolist() == whole.labels.tolist()
    assert len(whole) == 6


def test_parts_are_images_of_their_own() -> None:
    """A stored image with parts is a mosaic, which no network is trained on."""
    whole = distilled_set(size=(8, 8), factor=2)
    images, labels = next(iter(DataLoader(whole, batch_size=100)))
    assert len(whole) == len(images) == 24
    assert torch.equal(images, whole.expanded()[0])
    assert torch.equal(labels, whole.expanded()[1])
    assert (len(whole.images), whole.ipc) == (6, 2)


def test_soft_labels_come_whole() -> None:
    whole = soft_set()
    _, labels = next(iter(DataLoader(whole, batch_size=6)))
    assert same_bits(labels, whole.labels)
    assert whole.as_dataset().targets == whole.hard_labels.tolist()


def test_one_item_is_a_copy_and_the_end_is_an_end() -> None:
    whole = distilled_set()
    before = whole.images.clone()
    image, label = whole[-1]
    image.zero_()
    assert same_bits(whole.images, before)
    assert (label, type(label)) == (2, int)
    assert len(list(whole)) == 6  # type: ignore[call-overload]  # what can be read by position can be iterated
    with pytest.raises(IndexError):
        whole[6]


@pytest.mark.parametrize("places", [slice(0, 2), slice(None, None, 2), slice(-3, None), [4, 1], torch.tensor([5, 0]), np.array([2, 2])])
def test_several_positions_give_a_batch_as_torch_does(places: Any) -> None:
    for whole in (distilled_set(), soft_set()):
        images, labels = whole[places]
        expected = TensorDataset(*whole.expanded())[places]
        assert same_bits(images, expected[0])
        assert torch.equal(labels, expected[1])
    many, classes = load("digits").as_dataset("test", form="pixels")[places]
    assert (many.shape[1:], len(many), classes.dtype) == ((1, 8, 8), len(classes), torch.int64)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ("cat", "an image is had by its position, and several by a slice or a list of positions, got str"),
        (1.0, "got float"),
        (None, "got NoneType"),
        ((0, 1), "got tuple"),
        (slice(0, 0), "there is no image in it"),
    ],
)
def test_an_index_that_is_none_is_a_type_error_in_a_line(index: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        distilled_set()[index]


def test_a_slice_of_pil_images_leads_to_a_subset() -> None:
    dataset = distilled_set().as_dataset(form="pil")
    with pytest.raises(TypeError, match=r"images that are no tensors of one size in it: torch\.utils\.data\.Subset\(dataset, positions\)"):
        dataset[:2]
    assert len(Subset(dataset, [0, 1])) == 2


PIL_FIRST: dict[str, Any] = {
    "alone": v1.ToTensor(),
    "new": v2.PILToTensor(),
    "usual": v1.Compose([v1.RandomHorizontalFlip(), v1.ToTensor(), v1.Normalize(MEAN, STD)]),
    "within": v1.Compose([v1.Compose([v1.PILToTensor()])]),
    "sequential": torch.nn.Sequential(v2.PILToTensor()),
}


@pytest.mark.parametrize("name", PIL_FIRST)
def test_a_transform_that_takes_pil_images_alone_gets_them(name: str, caplog: pytest.LogCaptureFixture) -> None:
    whole = distilled_set()
    for found in (whole.as_dataset(transform=PIL_FIRST[name]), data_set().as_dataset(transform=PIL_FIRST[name])):
        assert found.form == "pil"
        assert isinstance(found[0][0], torch.Tensor)
    assert ("8 bits clip" in caplog.text) == (whole.clipped > 0)
    assert torch.equal(whole.as_dataset(transform=v1.ToTensor())[0][0], whole.pixels[0] / 255)


def test_a_transform_that_takes_tensors_gets_tensors() -> None:
    for transform in (None, v2.ToImage(), v1.Normalize(MEAN, STD), v1.Compose([v1.ToPILImage(), v1.ToTensor()]), lambda image: image):
        assert distilled_set().as_dataset(transform=transform).form == "normalised"


def test_a_transform_that_cannot_take_the_image_is_told_what_it_gets() -> None:
    for form, transform, said in (
        (
            "normalised",
            v1.ToTensor(),
            r"gets, tensors, normalised float32 \(`form=normalised`\): pic should be .*; .*`form=pil` gives PIL images",
        ),
        ("pil", v1.Normalize(MEAN, STD), r"gets, PIL images \(`form=pil`\): .*`form=pixels` gives tensors, float32 from 0 to 1"),
    ):
        with pytest.raises(UserError, match=said) as refused:
            distilled_set().as_dataset(form=form, transform=transform)[0]
        assert isinstance(refused.value, TypeError)
        assert "\n" not in str(refused.value)


def test_what_has_no_items_says_what_has() -> None:
    data = data_set()
    things: tuple[Any, ...] = (data, data.train)
    takes: tuple[Callable[[Any], Any], ...] = (lambda thing: next(iter(DataLoader(thing))), lambda thing: thing[0], list, iter)
    for thing, take in itertools.product(things, takes):
        with pytest.raises(TypeError, match=r"`data\.as_dataset\('train'\)`"):
            next(iter(take(thing)))
    assert data
    assert len(data.train) == 15


def test_the_forms_of_an_image() -> None:
    values = torch.tensor([-3.0, 0.0, 0.4, 2.5]).view(1, 1, 2, 2)
    origin = replace(distilled_set().origin, mean=(0.5,), std=(0.25,), class_names=("one",))
    whole = replace(distilled_set(), images=values, labels=torch.zeros(1, dtype=torch.int64), origin=origin)
    assert torch.equal(whole.as_dataset()[0][0], values[0])
    # 0.5 + 0.25 v
    assert whole.as_dataset(form="pixels")[0][0].flatten().tolist() == pytest.approx([-0.25, 0.5, 0.6, 1.125])
    assert np.asarray(whole.as_dataset(form="pil")[0][0]).tolist() == [[0, 128], [153, 255]]
    assert whole.as_dataset(form="pil").classes == ["one"]
    with pytest.raises(UserError, match=r"unknown form 'pill'\. Did you mean 'pil'"):
        whole.as_dataset(form="pill")


def test_ordinary_transforms_apply_to_images_and_labels() -> None:
    ordinary = v2.Compose([v2.RandomCrop((8, 6), padding=1), v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    whole = distilled_set()
    images, labels = next(
        iter(DataLoader(whole.as_dataset(form="pil", transform=ordinary, target_transform=lambda label: label + 10), batch_size=6))
    )
    assert images.shape == whole.images.shape
    assert labels.tolist() == [10, 10, 11, 11, 12, 12]
    rendered = whole.rendered().images
    assert float(images.min()) >= float(rendered.min()) - 1e-5


def test_an_inplace_transform_does_not_change_the_set() -> None:
    whole = distilled_set()
    before = whole.images.clone()
    list(DataLoader(whole.as_dataset(transform=v2.Normalize((1.0,) * 3, (2.0,) * 3, inplace=True))))
    assert same_bits(whole.images, before)


def test_workers_can_take_it_along() -> None:
    for each in (distilled_set(), distilled_set().as_dataset(form="pil"), load("digits").as_dataset("test")):
        copy = pickle.loads(pickle.dumps(each))
        assert len(copy) == len(each)
        assert copy[3][1] == each[3][1]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_splits_of_a_data_set(tiny: DataSet, split: str) -> None:
    part = tiny.split(split)
    images, labels = next(iter(DataLoader(tiny.as_dataset(split), batch_size=1000)))
    assert torch.equal(images, tiny.normalise(part.images))
    assert torch.equal(labels, part.labels)
    pixels, _ = next(iter(DataLoader(tiny.as_dataset(split, form="pixels"), batch_size=1000)))
    assert torch.equal(pixels, part.images.float() / 255)
    assert np.array_equal(np.asarray(tiny.as_dataset(split, form="pil")[2][0]), part.images[2].permute(1, 2, 0).numpy())


def test_an_unknown_split_is_refused(tiny: DataSet) -> None:
    with pytest.raises(UserError, match="has no 'testing' split; it has: train, validation, test"):
        tiny.as_dataset("testing")


@pytest.mark.filterwarnings("default")
def test_datasets_of_the_hub_in_memory(hub: Any) -> None:
    for whole in (distilled_set(), soft_set(), distilled_set(size=(8, 8), factor=2)):
        read, parts = whole.as_hf(), whole.of_parts()
        assert isinstance(read, hub.Dataset)
        assert read["label"][:] == parts.hard_labels.tolist()
        assert read.features["label"].names == ["cat", "dog", "ship"]
        for row, pixels in zip(read, parts.pixels, strict=True):
            assert np.array_equal(np.asarray(row["image"]), pixels.permute(1, 2, 0).numpy())
        assert ("soft_label" in read.features) == (whole.track == "soft")
    assert torch.allclose(torch.tensor(soft_set().as_hf()["soft_label"][:]), soft_set().labels)
