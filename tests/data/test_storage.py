from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datastill.data import cache_folder, load
from datastill.data.images import fingerprint
from datastill.data.resize import resized
from datastill.data.storage import RawSplit, arrange
from datastill.errors import UserError
from image_files import pixels, write_classes, write_image

LABELS = np.array([2, 0, 1, 0, 2, 0], dtype=np.int64)


class Source:
    """Six images in blocks of four and two, counting how often they are decoded."""

    def __init__(self, channels: int = 3) -> None:
        self.pixels = np.stack([np.atleast_3d(pixels(seed, channels=channels)).transpose(2, 0, 1) for seed in range(6)])
        self.decoded = 0

    def blocks(self) -> Iterator[NDArray[np.uint8]]:
        self.decoded += 1
        yield self.pixels[:4]
        yield self.pixels[4:]

    def split(self, identity: str = "made by hand") -> RawSplit:
        return RawSplit(LABELS, self.pixels.shape[1], (8, 8), self.blocks, identity)


@pytest.fixture(autouse=True)
def mapped(cache: Path) -> Path:
    """An empty cache; gives where memory-mapped splits are in it."""
    return cache / "mapped"


def test_images_are_arranged_class_after_class_in_the_sources_order(mapped: Path) -> None:
    source = Source()
    images = arrange(source.split(), 4)
    assert images.counts == (3, 1, 2, 0)
    assert np.array_equal(images.gather(torch.arange(6)).numpy(), source.pixels[[1, 3, 5, 2, 0, 4]])
    assert not mapped.exists()


def test_memory_mapped_equals_in_memory(mapped: Path) -> None:
    source = Source()
    held, on_disk = arrange(source.split(), 3), arrange(source.split(), 3, budget=6 * 3 * 64 - 1)
    assert len(list(mapped.iterdir())) == 1
    assert torch.equal(held.gather(torch.arange(6)), on_disk.gather(torch.arange(6)))
    assert fingerprint(held, "abc") == fingerprint(on_disk, "abc")
    on_disk.storage[0] = 0
    assert torch.equal(arrange(source.split(), 3, budget=0).storage, held.storage)


def test_the_cache_is_used_again_and_only_for_the_same_source(mapped: Path) -> None:
    source = Source()
    for _ in range(3):
        arrange(source.split(), 3, budget=0)
    assert source.decoded == 1
    arrange(source.split("another"), 3, budget=0)
    arrange(resized(source.split(), (4, 4)), 3, budget=0)
    assert source.decoded == 3
    assert len(list(mapped.iterdir())) == 3


@pytest.mark.parametrize("kept", [0, 40, 500])
def test_a_damaged_cache_is_made_anew(mapped: Path, kept: int) -> None:
    source = Source()
    arrange(source.split(), 3, budget=0)
    path = next(mapped.iterdir())
    path.write_bytes(path.read_bytes()[:kept])
    images = arrange(source.split(), 3, budget=0)
    assert source.decoded == 2
    assert np.array_equal(images.gather(torch.tensor([0])).numpy()[0], source.pixels[1])


def test_a_full_disk_is_one_line_and_leaves_nothing(mapped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match="no space left on the disk"):
        arrange(Source().split(), 3, budget=0)
    assert list(mapped.iterdir()) == []


def test_an_image_that_fails_leaves_no_half_written_cache(mapped: Path) -> None:
    def blocks() -> Iterator[NDArray[np.uint8]]:
        yield Source().pixels[:4]
        raise UserError("damaged.png cannot be read")

    with pytest.raises(UserError, match=r"damaged\.png"):
        arrange(replace(Source().split(), blocks=blocks), 3, budget=0)
    assert list(mapped.iterdir()) == []


def test_a_data_set_is_the_same_within_and_above_the_budget(tmp_path: Path, mapped: Path) -> None:
    write_classes(tmp_path / "photos", {"a": 7, "b": 5, "c": 4})
    name = f"folder:{tmp_path / 'photos'}"
    held, on_disk = load(name), load(name, memory_budget=0)
    assert len(list(mapped.iterdir())) == 1
    assert held.fingerprint == on_disk.fingerprint
    assert (held.mean, held.std, held.test.counts) == (on_disk.mean, on_disk.std, on_disk.test.counts)
    write_image(tmp_path / "photos" / "a" / "0.png", pixels(99, 8, 8))
    os.utime(tmp_path / "photos" / "a" / "0.png", (1, 1))
    assert load(name, memory_budget=0).fingerprint == load(name).fingerprint != held.fingerprint


@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_keeps_flat_images_flat_and_crops_the_centre(channels: int) -> None:
    source = Source(channels)
    source.pixels[:] = 77
    source.pixels[:, :, :, :2] = 0
    small = np.concatenate(list(resized(source.split(), (8, 4)).blocks()))
    assert small.shape == (6, channels, 8, 4)
    assert bool((small == 77).all())
    assert np.array_equal(np.concatenate(list(resized(source.split(), (8, 8)).blocks())), source.pixels)


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.setenv("DATASTILL_CACHE", "")
    assert cache_folder() == Path.home() / ".cache" / "datastill"
