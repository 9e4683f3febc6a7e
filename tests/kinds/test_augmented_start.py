"""``initialisation=augmented``: a class with fewer images than IPC starts from changed copies, the others from real images as ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from datastill import distill
from datastill.data import ClassImages, DataSet
from datastill.errors import UserError
from datastill.kinds.canvas import changed_copy, initial_images
from small_methods import small


@pytest.fixture
def uneven(tiny: DataSet) -> DataSet:
    """Twelve, three and twelve images."""
    rows = torch.cat([torch.arange(0, 15), torch.arange(24, 36)])
    return replace(tiny, train=ClassImages(tiny.train.storage, rows, (12, 3, 12)))


def members(images: Tensor, data: DataSet, label: int) -> list[Tensor]:
    """The images that are real ones of a class."""
    start, end = data.train.offsets[label : label + 2]
    real = data.normalise(data.train.gather(torch.arange(start, end)))
    return [image for image in images if bool((real == image).flatten(1).all(1).any())]


def test_classes_with_enough_images_start_as_ever_and_the_others_from_changed_copies(uneven: DataSet) -> None:
    images = initial_images("augmented", uneven, 7, seed=3, factor=1)
    real = initial_images("real", uneven, 7, seed=3, factor=1)
    assert torch.equal(images[[0, 2]], real[[0, 2]])
    assert torch.equal(images[1, :3], real[1, :3])
    assert len(members(images[1], uneven, 1)) == 3
    assert len({image.numpy().tobytes() for image in images[1]}) == 7
    assert len({image.numpy().tobytes() for image in real[1]}) == 3


def test_a_copy_resembles_the_image_that_it_is_of(uneven: DataSet) -> None:
    images, real = (initial_images(start, uneven, 9, seed=3, factor=1)[1] for start in ("augmented", "real"))
    own = (images[3:] - real[3:]).square().flatten(1).mean(1)
    others = (images[3:] - initial_images("noise", uneven, 9, seed=3, factor=1)[1, 3:]).square().flatten(1).mean(1)
    assert float(own.mean()) < float(others.mean())
    assert bool(images.isfinite().all())


def test_copies_depend_on_the_seed_alone(uneven: DataSet) -> None:
    first = initial_images("augmented", uneven, 7, seed=3, factor=1)
    assert torch.equal(first, initial_images("augmented", uneven, 7, seed=3, factor=1))
    assert not torch.equal(first[1, 3:], initial_images("augmented", uneven, 7, seed=4, factor=1)[1, 3:])


def test_the_parts_of_an_image_are_copies_too(uneven: DataSet) -> None:
    images = initial_images("augmented", uneven, 2, seed=0, factor=2)
    cells = [image[:, top : top + 4, left : left + 4] for image in images[1] for top in (0, 4) for left in (0, 4)]
    assert len({cell.numpy().tobytes() for cell in cells}) == 8


@pytest.mark.parametrize("flip", [True, False])
def test_copies_are_mirrored_only_where_that_keeps_the_class(uneven: DataSet, flip: bool) -> None:
    image = uneven.normalise(uneven.train.gather(torch.tensor([0])))
    data = replace(uneven, flip=flip)
    copies = [changed_copy(image, data, torch.Generator().manual_seed(seed)) for seed in range(60)]
    assert any(torch.equal(copy, image.flip(3)) for copy in copies) == flip


def test_ipc_above_a_small_class_is_refused_with_all_ways_on(uneven: DataSet) -> None:
    with pytest.raises(
        UserError,
        match=r"'middle' has 3 .* IPC 4: use `initialisation=augmented` for changed copies .*, `ipc=3` or less, or `init.*=noise`",
    ):
        distill(uneven, method=small("dm"), ipc=4, iterations=1)
    distilled = distill(uneven, method=small("dm", "initialisation=augmented"), ipc=4, iterations=1)
    assert torch.bincount(distilled.labels).tolist() == [4, 4, 4]
    rows = torch.cat([torch.arange(0, 12), torch.arange(24, 36)])
    without = replace(uneven, train=ClassImages(uneven.train.storage, rows, (12, 0, 12)))
    with pytest.raises(UserError, match="the smallest class has 0"):
        distill(without, method=small("dm", "initialisation=augmented"), ipc=4, iterations=1)
