from __future__ import annotations

import hashlib
import pickle
import struct
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import savemat
from torchvision import datasets
from torchvision.datasets import mnist, utils

from datastill.data import load
from datastill.data.published import read
from datastill.errors import UserError
from image_files import encoded, pixels, write_parquet


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def write_mnist(root: Path, folder: str = "MNIST") -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The raw files of torchvision's layout; gives the training images and their labels."""
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    images = np.stack([pixels(seed, 28, 28, 1) for seed in range(30)])
    labels = (np.arange(30) % 10).astype(np.uint8)
    for name, part in (("train", slice(0, 20)), ("t10k", slice(20, 30))):
        (raw / f"{name}-images-idx3-ubyte").write_bytes(idx(images[part]))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels[part]))
    return images[:20], labels[:20]


@pytest.fixture
def write_cifar(monkeypatch: pytest.MonkeyPatch) -> Callable[..., NDArray[np.uint8]]:
    """Writes two training batches and a test batch of random images; the checksums torchvision knows are replaced by theirs."""

    def write(root: Path, kind: type[Any], key: str, classes: int) -> NDArray[np.uint8]:
        folder = root / kind.base_folder
        folder.mkdir(parents=True)
        values = np.random.default_rng(0).integers(0, 256, (5 * classes, 3072), dtype=np.uint8)

        def batch(name: str, part: slice) -> list[str]:
            labels = [number % classes for number in range(part.start, part.stop)]
            (folder / name).write_bytes(pickle.dumps({"data": values[part], key: labels}))
            return [name, md5(folder / name)]

        meta = folder / kind.meta["filename"]
        meta.write_bytes(pickle.dumps({kind.meta["key"]: [f"kind {number}" for number in range(classes)]}))
        known = {
            "train_list": [batch("one", slice(0, 2 * classes)), batch("two", slice(2 * classes, 4 * classes))],
            "test_list": [batch("test", slice(4 * classes, 5 * classes))],
            "meta": {**kind.meta, "md5": md5(meta)},
        }
        for name, value in known.items():
            monkeypatch.setattr(kind, name, value)
        return values.reshape(-1, 3, 32, 32)

    return write


@pytest.fixture(autouse=True)
def downloads(cache: Path, no_data_folder: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where downloads go in a cache without anything in it, with no data folder, and no network."""

    def offline(*arguments: object, **options: object) -> None:
        raise urllib.error.URLError("Temporary failure in name resolution")

    for module in (utils, mnist, datasets.cifar):
        monkeypatch.setattr(module, "download_and_extract_archive", offline)
    monkeypatch.setattr(datasets.svhn, "download_url", offline)
    return cache / "data"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "svhn", "cifar10", "cifar100"])
def test_no_network_is_one_line_that_says_where_to_put_the_files(name: str) -> None:
    with pytest.raises(UserError, match=rf"'{name}' is neither under DATASTILL_DATA \(not set\) nor in .* cannot be downloaded") as caught:
        load(name)
    assert "\n" not in str(caught.value)
    assert "holds " + name in str(caught.value)


def test_a_cache_that_cannot_be_written_is_one_line(downloads: Path) -> None:
    (downloads.parent).mkdir()
    downloads.write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"cannot be downloaded \(cannot write .* \((File exists|.* is a file, not a folder)"):
        read("mnist")


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
@pytest.mark.parametrize("beside", [False, True])
def test_mnist_is_found_under_the_data_folder(data_folder: Path, name: str, folder: str, beside: bool) -> None:
    images, labels = write_mnist(data_folder if beside else data_folder / name, folder)
    data = load(name, validation=0)
    assert (data.size, data.channels, data.classes) == ((28, 28), 1, 10)
    assert data.flip is (name == "fashion-mnist")
    assert data.class_names[9] == {"mnist": "9 - nine", "fashion-mnist": "Ankle boot"}[name]
    order = np.argsort(labels, kind="stable")
    assert np.array_equal(data.train.gather(torch.arange(20))[:, 0].numpy(), images[order])
    assert data.test.counts == (1,) * 10


def test_mnist_already_in_the_cache_needs_no_network(downloads: Path) -> None:
    write_mnist(downloads / "mnist")
    assert len(read("mnist").train.labels) == 20


def test_a_damaged_mnist_is_named(downloads: Path) -> None:
    write_mnist(downloads / "mnist")
    path = downloads / "mnist" / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"files of the data set 'mnist' in .* are damaged \(.*\); remove them and repeat"):
        read("mnist")


@pytest.mark.parametrize(
    ("name", "kind", "key", "classes"), [("cifar10", datasets.CIFAR10, "labels", 10), ("cifar100", datasets.CIFAR100, "fine_labels", 100)]
)
def test_cifar_is_read_from_torchvisions_layout(
    data_folder: Path, write_cifar: Callable[..., NDArray[np.uint8]], name: str, kind: type[Any], key: str, classes: int
) -> None:
    images = write_cifar(data_folder / name, kind, key, classes)
    data = load(name, validation=0)
    assert data.class_names[:2] == ("kind 0", "kind 1")
    assert data.train.counts == (4,) * classes
    assert data.test.counts == (1,) * classes
    assert np.array_equal(data.train.gather(torch.arange(4)).numpy(), images[: 4 * classes : classes])
    assert np.array_equal(data.test.gather(torch.arange(classes)).numpy(), images[4 * classes :])


def test_a_changed_cifar_batch_is_not_unpickled(
    data_folder: Path, write_cifar: Callable[..., NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar(data_folder / "cifar10", datasets.CIFAR10, "labels", 10)
    batch = data_folder / "cifar10" / datasets.CIFAR10.base_folder / "one"
    batch.write_bytes(batch.read_bytes() + b"\0")
    monkeypatch.setattr(pickle, "load", lambda *arguments, **options: pytest.fail("read a file that fails its checksum"))
    with pytest.raises(UserError, match="cannot be downloaded"):
        read("cifar10")


def test_svhn_calls_its_tens_zero(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(1).integers(0, 256, (32, 32, 3, 20), dtype=np.uint8)
    labels = np.arange(20)[:, None] % 10 + 1
    (data_folder / "svhn").mkdir()
    listed = {}
    for split in ("train", "test"):
        path = data_folder / "svhn" / f"{split}_32x32.mat"
        savemat(path, {"X": images, "y": labels})
        listed[split] = ["", path.name, md5(path)]
    monkeypatch.setattr(datasets.SVHN, "split_list", listed)
    data = load("svhn", validation=0)
    assert data.class_names == tuple("0123456789")
    assert data.train.counts == (2,) * 10
    assert np.array_equal(data.train.gather(torch.tensor([0, 1])).numpy(), images[..., [9, 19]].transpose(3, 2, 0, 1))


@pytest.mark.parametrize(("name", "folder"), [("cifar10", ""), ("mnist", "mnist"), ("svhn", "cropped_digits")])
def test_hub_files_under_the_data_folder_come_first(data_folder: Path, name: str, folder: str) -> None:
    names = [f"class {number}" for number in range(10)]
    for split, count in (("train", 20), ("test", 10)):
        images: list[bytes | None] = [encoded(pixels(seed, 32, 32)) for seed in range(count)]
        write_parquet(data_folder / name / folder / f"{split}-00000.parquet", images, [seed % 10 for seed in range(count)], names=names)
    if name == "svhn":
        write_parquet(data_folder / name / "full_numbers" / "train-00000.parquet", [b"other"], [0])
    data = load(name, validation=0)
    assert data.class_names == tuple(names)
    assert data.train.counts == (2,) * 10


def test_the_download_goes_into_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(url: str, download_root: str, filename: str, md5: str) -> None:
        asked.append(filename)
        if len(asked) == 1:
            write_mnist(Path(download_root).parent.parent / "made")
            made = Path(download_root).parent.parent / "made" / "MNIST" / "raw"
            for file in made.iterdir():
                (Path(download_root) / file.name).write_bytes(file.read_bytes())

    monkeypatch.setattr(mnist, "download_and_extract_archive", download)
    assert len(read("mnist").train.labels) == 20
    assert len(asked) == 4
    read("mnist")
    assert len(asked) == 4
