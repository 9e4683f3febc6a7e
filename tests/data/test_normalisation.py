"""What stands between pixels and the input of networks."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import torch

from datastill.data import DataSet, PerChannel
from datastill.teachers.pool import pool_folder
from datastill.teachers.recipe import TrainingRecipe
from tiny_sets import distilled_set, same_bits

MEAN, STD = (0.3, 0.35, 0.4), (0.2, 0.25, 0.3)


def test_a_mean_and_a_deviation_per_channel() -> None:
    found = PerChannel(MEAN, STD)
    images = torch.rand(2, 3, 4, 5)
    for channel in range(3):
        torch.testing.assert_close(found.apply(images)[:, channel], (images[:, channel] - MEAN[channel]) / STD[channel])
    torch.testing.assert_close(found.invert(found.apply(images)), images)
    assert found.describe() == {"mean": list(MEAN), "std": list(STD)}


def test_it_is_a_value() -> None:
    found = PerChannel(MEAN, STD)
    assert found == PerChannel(MEAN, STD) == pickle.loads(pickle.dumps(found))
    assert hash(found) == hash(PerChannel(MEAN, STD))
    assert found != PerChannel(MEAN, MEAN)


def test_applying_changes_no_image(tiny: DataSet) -> None:
    images = torch.rand(2, 3, 8, 8)
    before = images.clone()
    for change in (tiny.normalisation.apply, tiny.normalisation.invert):
        change(images)
        assert same_bits(images, before)


def test_bits_and_keys_are_those_of_mean_and_deviation(tiny: DataSet, tmp_path: Path) -> None:
    """As they were before there was another normalisation: networks in a cache and evaluations that were kept are found again."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    pixels = tiny.train.images
    assert same_bits(tiny.normalise(pixels), pixels.float().div_(255).sub_(mean).div_(std))
    seen = hashlib.blake2b(repr((MEAN, STD, True)).encode(), digest_size=4).hexdigest()
    folder = pool_folder(tiny, "convnet", TrainingRecipe(epochs=1), tmp_path)
    assert folder.parent.name == f"0123456789abcdef-{seen}"
    assert list(tiny.describe())[-2:] == ["mean", "std"]


def test_a_set_is_rendered_by_its_own_constants() -> None:
    made = distilled_set()
    mean, std = (torch.tensor(values)[:, None, None] for values in (made.origin.mean, made.origin.std))
    pixels = (made.images * std + mean).clamp(0, 1).mul(255).round().to(torch.uint8)
    assert torch.equal(made.pixels, pixels)
    assert same_bits(made.rendered().images, (pixels.float() / 255 - mean) / std)
