"""Data sets that a program holds: the same images are the same data set, whatever holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

import datastill
from datastill.data import DataSet, load
from datastill.errors import UserError
from image_files import encoded, pixels, write_classes, write_parquet

NAMES = ["cat", "dog"]
IMAGES = np.stack([pixels(number) for number in range(12)])
LABELS = np.array([0] * 6 + [1] * 6)
FIRST = torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
"""The same images, channels first."""


def hub_data() -> Any:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    return datasets.Dataset.from_dict({"image": [Image.fromarray(image) for image in IMAGES], "label": LABELS.tolist()}, features=features)


class Strings(Dataset[tuple[Any, Any]]):
    """Items with the name of the class, as arrays."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return IMAGES[index], NAMES[LABELS[index]]


def folder(root: Path, transform: Callable[[Any], Any] | None = None) -> ImageFolder:
    write_classes(root / "photos", {"cat": 6, "dog": 6})
    return ImageFolder(str(root / "photos"), transform=transform)


DOORS: dict[str, Callable[[Path], Any]] = {
    "arrays": lambda root: (IMAGES, LABELS),
    "lists": lambda root: [IMAGES, LABELS.tolist()],
    "int64": lambda root: (IMAGES.astype(np.int64), LABELS.astype(float)),
    "tensors": lambda root: (FIRST, torch.from_numpy(LABELS)),
    "floats": lambda root: (FIRST / 255, torch.from_numpy(LABELS)[:, None]),
    "text labels": lambda root: (IMAGES, np.array(NAMES)[LABELS]),
    "tensor data set": lambda root: TensorDataset(FIRST, torch.from_numpy(LABELS)),
    "names": lambda root: Strings(),
    "list of pairs": lambda root: [(Image.fromarray(image), int(label)) for image, label in zip(IMAGES, LABELS, strict=True)],
    "image folder": folder,
    "ToTensor": lambda root: folder(root, transforms.ToTensor()),
    "subset": lambda root: Subset(folder(root), list(range(12))),
    "concatenation": lambda root: ConcatDataset([Subset(folder(root), range(6)), Subset(folder(root), range(6, 12))]),
    "hub": lambda root: hub_data(),
    "shuffled and sorted": lambda root: hub_data().shuffle(seed=1).map(lambda row: row).select(range(12)),
    "splits": lambda root: {"train": (IMAGES, LABELS)},
    "hub splits": lambda root: datasets.DatasetDict({"train": hub_data()}),
}

WITH_NAMES = ("text labels", "names", "image folder", "ToTensor", "subset", "concatenation", "hub", "hub splits", "shuffled and sorted")
"""Those that know the names of the classes."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """The data set as a folder of PNGs."""
    root = tmp_path_factory.mktemp("photos")
    write_classes(root, {"cat": 6, "dog": 6})
    return load(f"folder:{root}")


@pytest.mark.parametrize("door", DOORS)
def test_the_same_images_are_the_same_data_set_by_every_door(door: str, tmp_path: Path, expected: DataSet) -> None:
    thing = DOORS[door](tmp_path)
    data = load(thing) if door in WITH_NAMES else load(thing, class_names=NAMES)
    if door == "shuffled and sorted":  # another order, and so other images that are held out
        assert sorted(data.train.counts) == sorted(expected.train.counts)
    else:
        assert data.fingerprint == expected.fingerprint
    assert (data.class_names, data.mean) == (expected.class_names, data.mean)
    assert data.name.startswith("memory:")


@pytest.mark.parametrize("make", [lambda: (IMAGES, LABELS), lambda: TensorDataset(FIRST, torch.from_numpy(LABELS)), hub_data])
def test_splits_and_classes_and_sizes_are_chosen_as_by_name(make: Callable[[], Any]) -> None:
    data = load({"train": make(), "validation": make()}, validation=0)
    assert (data.train.counts, data.test.counts) == ((6, 6), (6, 6))
    assert load({"train": make(), "fold2": make()}, test_split="none", validation=0).test.counts == (1, 1)
    with pytest.raises(UserError, match=r"holds train and fold2: `test_split=fold2`"):
        load({"train": make(), "fold2": make()})
    assert load(make(), size=(12, 16)).size == (12, 16)
    assert load(make(), size=16, classes=["1", "0"]).size == (16, 16)


def test_a_data_set_above_the_memory_budget_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path))
    small, large = load((IMAGES, LABELS)), load((IMAGES, LABELS), memory_budget=0)
    assert small.fingerprint == large.fingerprint
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_gray_and_sixteen_bits(tmp_path: Path) -> None:
    gray = load((IMAGES[..., 0], LABELS), validation=0)
    assert gray.channels == load((IMAGES[..., :1], LABELS)).channels == 1
    wide = IMAGES[..., 0].astype(np.uint16) * 16
    with pytest.raises(UserError, match="`bit_depth=12`"):
        load((wide, LABELS))
    assert load((wide, LABELS), bit_depth=12).channels == 1


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        ((FIRST.float(), LABELS), "got float32 from 0 to 255: divide them by their largest possible value, or turn them into uint8"),
        ((torch.randn(12, 3, 8, 8), LABELS), "give them without Normalize"),
        ((torch.full((12, 3, 8, 8), float("nan")), LABELS), "NaN or infinite"),
        (((IMAGES > 99).astype(int), LABELS), "0 and 1 may be black and white, times 255, or two dark greys"),
        ((IMAGES, LABELS[:5]), "12 images but 5 labels"),
        ((IMAGES, np.eye(2)[LABELS]), r"one class for each image as labels, got \(12, 2\); .*labels.argmax\(1\)"),
        ((IMAGES, LABELS - 1), "but found -1; remove those images, or label them"),
        ((IMAGES, LABELS / 2), "found 0.5, which is no whole number"),
        ((IMAGES.reshape(12, -1), LABELS), r"got \(192,\): reshape the values"),
        ((np.zeros((12, 5, 8, 8), dtype=np.uint8), LABELS), r"shape \(5, 8, 8\) has no 1, 3 or 4 channels"),
        ((np.zeros((12, 3, 8, 3), dtype=np.uint8), LABELS), "may have its channels first or last"),
        ((IMAGES.astype(str), LABELS), "expected images of numbers"),
        (IMAGES, "has no labels: expected a name"),
        (3, "has no length or no items: expected a name"),
        (None, "has no length or no items"),
        ([], "is empty"),
        ({"images": IMAGES, "labels": LABELS}, r"a mapping must hold splits, such as train and test, got images, labels; give arrays as"),
        ([(IMAGES[0], 1, 2)] * 4, "item 0 of memory:list: expected an image and its label, got 3 values"),
        ([("cat.png", 1)] * 4, "expected a PIL image, an array or a tensor as image, got str"),
        ([(IMAGES[0], np.eye(2)[0])] * 4, "for one-hot or soft labels, give the argmax"),
        (Path("nowhere/photos"), "'folder:nowhere/photos' or 'parquet:nowhere/photos' or 'arrow:nowhere/photos'"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(thing: Any, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        load(thing)
    assert "\n" not in str(caught.value)


def test_an_array_without_images_is_not_taken_for_black_and_white(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UserError, match="there are no images"):
        load((IMAGES[:0], LABELS[:0]))
    assert "black and white" not in caplog.text


def test_one_described_class_is_counted_as_one() -> None:
    with pytest.raises(UserError, match="labels beyond the 1 described class: 1"):
        load((IMAGES, LABELS), class_names=["cat"])


def test_streams_and_loaders_are_refused_with_a_way_on(tmp_path: Path) -> None:
    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            return iter([])

    with pytest.raises(UserError, match=r"is a stream .*without streaming"):
        load(hub_data().to_iterable_dataset())
    with pytest.raises(UserError, match="has no length or no items"):
        load(Stream())
    with pytest.raises(UserError, match=r"give its data set, loader\.dataset"):
        load(DataLoader(Strings()))


def test_a_transform_that_draws_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    load(folder(tmp_path, transforms.RandomCrop(4)))
    assert "a different image each time it is read (a random transform); one draw of each is kept" in caplog.text
    with pytest.raises(UserError, match=r"item 0 of memory:ImageFolder, .*cat/0\.png: .*without Normalize"):
        load(folder(tmp_path, transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])))


def test_labels_that_were_changed_lose_their_names(tmp_path: Path) -> None:
    write_classes(tmp_path, {"cat": 6, "dog": 6})
    swapped = ImageFolder(str(tmp_path), target_transform=lambda label: 1 - label)
    assert load(swapped).class_names == ("0", "1")


def test_broken_files_of_a_data_set_are_named_and_left_out(tmp_path: Path) -> None:
    data = folder(tmp_path)
    for number in (1, 4):
        Path(data.samples[number][0]).write_bytes(b"junk")
    with pytest.raises(UserError, match=r"item 1 of memory:ImageFolder, .*cat/1\.png cannot be read .*nor can 1 more of 12: item 4"):
        load(data)
    whole = load(data, skip_broken=True, validation=0)
    assert len(whole.skipped) == 2
    assert len(whole.train) + len(whole.test) == 10


def test_images_that_are_only_paths_are_read_where_the_program_holds_them(tmp_path: Path) -> None:
    write_classes(tmp_path / "photos", {"cat": 6, "dog": 6})
    held = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "photos"), split="train", cache_dir=str(tmp_path / "cache"))
    assert load(held).fingerprint == load(f"folder:{tmp_path / 'photos'}").fingerprint


def test_a_data_set_is_taken_as_it_is(expected: DataSet) -> None:
    assert load(expected) is expected
    with pytest.raises(UserError, match="is already loaded"):
        load(expected, flip=False)


def test_what_a_program_held_is_distilled_and_evaluated_but_not_found_by_its_name() -> None:
    quick = {"method": "random", "ipc": 1}
    distilled = datastill.distill((IMAGES, LABELS), **quick)  # type: ignore[arg-type]
    protocol = datastill.Protocol(epochs=1)
    found = datastill.evaluate(distilled, data=(IMAGES, LABELS), repeats=1, compare=[], protocol=protocol)
    assert found.data == distilled.origin.data == "memory:arrays"
    with pytest.raises(UserError, match=r"was loaded from objects in a Python program .*give it again with `data`"):
        datastill.evaluate(distilled, repeats=1)


def test_a_table_as_an_object_takes_columns(tmp_path: Path) -> None:
    both = hub_data().add_column("other", LABELS[::-1].tolist())
    assert load(both, label_column="other").class_names == ("0", "1")
    with pytest.raises(UserError, match="`image_column` and `label_column` are for tables"):
        load((IMAGES, LABELS), label_column="other")
    write_parquet(tmp_path / "train.parquet", [encoded(image) for image in IMAGES], LABELS.tolist(), names=NAMES)
    assert load(f"parquet:{tmp_path}").fingerprint == load(hub_data()).fingerprint
