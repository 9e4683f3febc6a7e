"""Shared fixtures: a private cache for every test session, tiny data sets, and the real data where it is available."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from datastill.data import ClassImages, DataSet
from disks import Disk


@pytest.fixture(autouse=True, scope="session")
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's cache, and none uses more than one thread, so that they can run side by side."""
    patch = pytest.MonkeyPatch()
    patch.setenv("DATASTILL_CACHE", str(tmp_path_factory.mktemp("cache")))
    torch.set_num_threads(1)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; skips, saying so, where ``DATASTILL_DATA`` is not set."""
    root = os.environ.get("DATASTILL_DATA")
    if not root:
        pytest.skip("DATASTILL_DATA is not set: no real data to test with")
    return Path(root)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk that files are written to."""
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk.sync)
    return disk


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _tiny_split(images: int, seed: int) -> ClassImages:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 120, (3 * images, 3, 8, 8), generator=generator, dtype=torch.uint8)
    for label in range(3):  # a bright bar, at another place in every class
        noise[label * images : (label + 1) * images, :, :, 2 * label : 2 * label + 3] += 120
    return ClassImages(noise, torch.arange(3 * images), (images,) * 3)


@pytest.fixture(scope="session")
def tiny() -> DataSet:
    """Three classes of 8x8 colour images, 12 to train on, made by hand; nothing may change it."""
    return DataSet(
        name="tiny",
        train=_tiny_split(12, seed=1),
        validation=_tiny_split(2, seed=2),
        test=_tiny_split(4, seed=3),
        class_names=("left", "middle", "right"),
        mean=(0.3, 0.35, 0.4),
        std=(0.2, 0.25, 0.3),
        flip=True,
        fingerprint="0123456789abcdef",
    )
