"""A session in a notebook, through the public interface alone: load what the program holds, distil, look, iterate, evaluate, save, load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import transforms
from torchvision.datasets import ImageFolder

import datastill
from image_files import pixels, write_classes

NAMES = ["cat", "dog"]
PIXELS = np.stack([pixels(number) for number in range(40)])
LABELS = np.repeat([0, 1], 20)


def folder(root: Path) -> ImageFolder:
    write_classes(root, {"cat": 20, "dog": 20})
    return ImageFolder(str(root))


def table(rows: slice = slice(None)) -> Any:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    return datasets.Dataset.from_dict({"image": list(PIXELS[rows]), "label": LABELS[rows].tolist()}, features=features)


HELD: dict[str, Callable[[Path], Any]] = {
    "ImageFolder": folder,
    "Subset": lambda root: Subset(folder(root), range(0, 40, 2)),
    "Dataset of the hub": lambda root: table(),
    "DatasetDict": lambda root: datasets.DatasetDict({"train": table(slice(0, None, 2)), "test": table(slice(1, None, 2))}),
    "arrays": lambda root: (PIXELS, np.array(NAMES)[LABELS]),
}


@pytest.mark.parametrize("held", HELD)
def test_a_session(held: str, tmp_path: Path) -> None:
    source = HELD[held](tmp_path / "photos")

    # load and look
    data = datastill.load(source)
    assert (data.class_names, data.size, data.channels) == (("cat", "dog"), (8, 8), 3)
    assert len(data.train) + len(data.validation) + len(data.test) == (20 if held == "Subset" else 40)
    assert data._repr_html_().count("<img") == 2

    # distil: from what is held, or from what was loaded
    options: dict[str, Any] = {"method": "dm", "ipc": 2, "iterations": 2, "settings": ["real_batch=4"], "seed": 3}
    distilled = datastill.distill(source, **options)
    assert torch.equal(datastill.distill(data, **options).images, distilled.images)
    assert repr(distilled) == f"<{data.name} by dm: 4 synthetic images of 2 classes, 3x8x8, hard labels>"
    assert distilled._repr_html_().count("<img") == 2

    # iterate, and train an ordinary network
    batches = list(DataLoader(distilled, batch_size=3))
    assert torch.equal(torch.cat([images for images, _ in batches]), distilled.images)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    losses = []
    for _ in range(20):
        for images, labels in DataLoader(distilled, batch_size=4, shuffle=True):
            loss = torch.nn.functional.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
            losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]

    # ordinary transforms, of the set and of the images that it is tested on
    ordinary = transforms.Compose([transforms.RandomCrop(8, padding=1), transforms.ToTensor(), transforms.Normalize(data.mean, data.std)])
    images, labels = next(iter(DataLoader(distilled.as_dataset(form="pil", transform=ordinary), batch_size=4)))
    assert (images.shape, labels.tolist()) == ((4, 3, 8, 8), [0, 0, 1, 1])
    images, labels = next(iter(DataLoader(data.as_dataset("test"), batch_size=1000)))
    assert torch.equal(images, data.normalise(data.test.images))
    assert torch.equal(labels, data.test.labels)
    rows = distilled.as_hf()
    assert (rows["label"][:], rows.features["label"].names) == ([0, 0, 1, 1], NAMES)
    assert np.array_equal(np.asarray(rows[3]["image"]), distilled.pixel_array(3))

    # evaluate, and look at that
    evaluation = datastill.evaluate(distilled, data=data, repeats=1, compare=["random"], protocol=datastill.Protocol(epochs=2))
    assert 0 <= evaluation.score.mean <= 100
    assert "random" in evaluation._repr_html_()

    # save, load, go on
    loaded = datastill.DistilledSet.load(distilled.save(tmp_path / "set"))
    assert torch.equal(loaded.images, distilled.images)
    assert (loaded.labels.tolist(), loaded.origin) == (distilled.labels.tolist(), distilled.origin)
    exported = ImageFolder(str(datastill.export(loaded, tmp_path / "pictures", "folder")))
    assert [label for _, label in exported.samples] == [0, 0, 1, 1]
    again: Dataset[Any] = loaded.as_dataset(transform=lambda image: image.flip(-1))
    assert torch.equal(next(iter(DataLoader(again, batch_size=4)))[0], distilled.images.flip(-1))
