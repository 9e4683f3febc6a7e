from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torchvision.transforms.v2.functional as oracle
from torch import Tensor

from datastill.augment import FAMILIES
from datastill.augment.dsa import PARAMETERS
from small_networks import noise

SHAPES = [(3, 10, 10), (1, 8, 14)]
every = pytest.mark.parametrize("family", FAMILIES)


def numbers(images: int, seed: int = 0) -> Tensor:
    return torch.rand(images, PARAMETERS, generator=torch.Generator().manual_seed(seed))


def uniform(*numbers: float) -> Tensor:
    """The parameters of one image."""
    return torch.tensor([[*numbers, *(0.5,) * (PARAMETERS - len(numbers))]])


def naive_colour(image: Tensor, brightness: float, saturation: float, contrast: float) -> Tensor:
    image = image.double() + (brightness - 0.5)
    result = torch.empty_like(image)
    for row in range(image.shape[1]):
        for column in range(image.shape[2]):
            gray = sum(float(value) for value in image[:, row, column]) / image.shape[0]
            for channel in range(image.shape[0]):
                result[channel, row, column] = gray + 2 * saturation * (float(image[channel, row, column]) - gray)
    mean = sum(float(value) for value in result.flatten()) / result.numel()
    return mean + (contrast + 0.5) * (result - mean)


@pytest.mark.parametrize("shape", SHAPES)
def test_colour_by_naive_loops(shape: tuple[int, ...]) -> None:
    images, parameters = noise(3, *shape), numbers(3)
    for image, row, ours in zip(images, parameters, FAMILIES["colour"](images, parameters), strict=True):
        torch.testing.assert_close(ours.double(), naive_colour(image, *row.tolist()), rtol=1e-4, atol=1e-5)


def test_the_ranges_of_colour() -> None:
    flat = torch.full((1, 3, 4, 4), 0.25)
    for drawn_, shift in ((0.0, -0.5), (0.5, 0.0), (1.0, 0.5)):  # saturation and contrast leave a flat grey image alone
        torch.testing.assert_close(FAMILIES["colour"](flat, uniform(drawn_)), flat + shift)
    image = noise(1, 3, 8, 8)
    centred = image - image.mean(1, keepdim=True)
    for drawn_, factor in ((0.0, 0.0), (0.5, 1.0), (1.0, 2.0)):
        changed = FAMILIES["colour"](image, uniform(0.5, drawn_))
        torch.testing.assert_close(changed - changed.mean(1, keepdim=True), factor * centred, rtol=1e-4, atol=1e-5)
    for drawn_, factor in ((0.0, 0.5), (0.5, 1.0), (1.0, 1.5)):
        changed = FAMILIES["colour"](image, uniform(0.5, 0.5, drawn_))
        torch.testing.assert_close(changed - image.mean(), factor * (image - image.mean()), rtol=1e-4, atol=1e-5)


def shifted(image: Tensor, down: int, right: int) -> Tensor:
    """A shift by whole pixels, zeros entering."""
    result = torch.zeros_like(image)
    height, width = image.shape[1:]
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[:, row, column] = image[:, row - down, column - right]
    return result


@pytest.mark.parametrize(("shape", "reach"), [((3, 16, 16), (2, 2)), ((1, 8, 24), (1, 3)), ((1, 28, 28), (4, 4))])
def test_crop_shifts_by_every_step_up_to_an_eighth_equally_often(shape: tuple[int, ...], reach: tuple[int, int]) -> None:
    channels, height, width = shape
    image = 1 + torch.arange(channels * height * width).reshape(shape).float()
    down, right = reach
    steps = {(y, x): shifted(image, y, x) for y in range(-down, down + 1) for x in range(-right, right + 1)}
    counts: Counter[tuple[int, int]] = Counter()
    for ours in FAMILIES["crop"](image.expand(1500, *shape), numbers(1500)):
        row, column = divmod(int(ours[0, height // 2, width // 2]) - 1, width)
        step = (height // 2 - row, width // 2 - column)
        assert torch.equal(ours, steps[step])
        counts[step] += 1
    expected = 1500 / len(steps)
    assert set(counts) == set(steps)
    assert max(abs(count - expected) for count in counts.values()) < 5 * math.sqrt(expected)


@pytest.mark.parametrize(("shape", "reach"), [((3, 16, 16), (2, 2)), ((1, 8, 24), (1, 3))])
def test_crop_is_torchvisions_translation(shape: tuple[int, ...], reach: tuple[int, int]) -> None:
    images, parameters = noise(20, *shape), numbers(20, seed=2)
    for image, row, ours in zip(images, parameters, FAMILIES["crop"](images, parameters), strict=True):
        down, right = (reach[axis] - int(float(row[axis]) * (2 * reach[axis] + 1)) for axis in (0, 1))
        assert torch.equal(ours, oracle.affine(image, angle=0.0, translate=[right, down], scale=1.0, shear=[0.0, 0.0]))


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 12, 20), (1, 9, 7)])
def test_cutout_by_naive_loops(shape: tuple[int, ...]) -> None:
    height, width = shape[1:]
    length = int(height * 0.5 + 0.5), int(width * 0.5 + 0.5)
    image = torch.ones(shape)
    areas = []
    for ours in FAMILIES["cutout"](image.expand(300, *shape), numbers(300)):
        hidden = (ours == 0).all(0)
        assert torch.equal(ours, image.masked_fill(hidden, 0))
        rows, columns = hidden.any(1).nonzero().flatten().tolist(), hidden.any(0).nonzero().flatten().tolist()
        naive = torch.zeros_like(hidden)
        for row in range(rows[0], rows[-1] + 1):
            for column in range(columns[0], columns[-1] + 1):
                naive[row, column] = True
        assert torch.equal(hidden, naive), "no rectangle"
        # The centre lies in the image, so that at least about half of each side is hidden; less only where the edge cuts it off.
        for span, side, whole in ((rows, height, length[0]), (columns, width, length[1])):
            assert whole // 2 <= len(span) <= whole
            assert len(span) == whole or span[0] == 0 or span[-1] == side - 1
        areas.append(len(rows) * len(columns))
    assert max(areas) == length[0] * length[1]
    assert min(areas) < max(areas)


def test_the_centre_of_a_cutout_may_be_anywhere() -> None:
    hidden = FAMILIES["cutout"](torch.ones(2000, 1, 16, 16), numbers(2000)) == 0
    share = hidden.float().mean((0, 1))
    # The centre falls on one of 17 places; 8 of them hide a pixel in the middle, 4 a pixel at the edge.
    assert float(share[8, 8]) == pytest.approx((8 / 17) ** 2, abs=0.04)
    assert float(share[0, 0]) == pytest.approx((5 / 17) ** 2, abs=0.04)
    assert float(share[15, 15]) == pytest.approx((5 / 17) ** 2, abs=0.04)


def test_flip_mirrors_half_of_the_images() -> None:
    images, parameters = noise(400, 3, 6, 5), numbers(400)
    mirrored = 0
    for image, ours in zip(images, FAMILIES["flip"](images, parameters), strict=True):
        changed = torch.equal(ours, oracle.horizontal_flip(image))
        assert changed or torch.equal(ours, image)
        mirrored += changed
    assert 150 < mirrored < 250  # 200, standard deviation 10


@pytest.mark.parametrize("factor", [1 / 1.2, 0.95, 1.0, 1.2])
def test_scale_is_torchvisions_affine(factor: float) -> None:
    images = noise(1, 3, 16, 16)
    parameter = (factor - 1 / 1.2) / (1.2 - 1 / 1.2)
    expected = oracle.affine(
        images, angle=0.0, translate=[0, 0], scale=1 / factor, shear=[0.0, 0.0], interpolation=oracle.InterpolationMode.BILINEAR
    )
    torch.testing.assert_close(FAMILIES["scale"](images, uniform(parameter, parameter)), expected, rtol=1e-4, atol=1e-4)


def bilinear(image: Tensor, row: float, column: float) -> Tensor:
    """The value between pixels, zero outside."""
    top, left = math.floor(row), math.floor(column)
    value = torch.zeros(image.shape[0], dtype=torch.float64)
    for y in (top, top + 1):
        for x in (left, left + 1):
            if 0 <= y < image.shape[1] and 0 <= x < image.shape[2]:
                value += (1 - abs(row - y)) * (1 - abs(column - x)) * image[:, y, x].double()
    return value


def warped(image: Tensor, matrix: tuple[tuple[float, float], tuple[float, float]]) -> Tensor:
    """Read every pixel (x, y), counted from the centre, at matrix @ (x, y)."""
    height, width = image.shape[1:]
    result = torch.zeros_like(image, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            x, y = column - (width - 1) / 2, row - (height - 1) / 2
            (a, b), (c, d) = matrix
            result[:, row, column] = bilinear(image, c * x + d * y + (height - 1) / 2, a * x + b * y + (width - 1) / 2)
    return result


@pytest.mark.parametrize("shape", SHAPES)
def test_scale_by_naive_loops_with_factors_of_their_own_for_width_and_height(shape: tuple[int, ...]) -> None:
    images, parameters = noise(4, *shape), torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5], [0.3, 0.8, 0.5], [0.9, 0.9, 0.5]])
    for image, row, ours in zip(images, parameters, FAMILIES["scale"](images, parameters), strict=True):
        horizontal, vertical = (1 / 1.2 + float(row[axis]) * (1.2 - 1 / 1.2) for axis in (0, 1))
        torch.testing.assert_close(ours.double(), warped(image, ((horizontal, 0), (0, vertical))), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degrees", [-15.0, -4.0, 0.0, 15.0])
def test_rotate_by_naive_loops_and_by_torchvision(shape: tuple[int, ...], degrees: float) -> None:
    image = noise(*shape)
    ours = FAMILIES["rotate"](image[None], uniform(degrees / 30 + 0.5))[0]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    torch.testing.assert_close(ours.double(), warped(image, ((cosine, -sine), (sine, cosine))), rtol=1e-3, atol=1e-4)
    turned = oracle.rotate(image, degrees, interpolation=oracle.InterpolationMode.BILINEAR)
    torch.testing.assert_close(ours, turned, rtol=1e-3, atol=1e-4)


@every
def test_nothing_is_changed_in_the_middle_of_the_ranges(family: str) -> None:
    neutral = {
        "colour": (0.5, 0.5, 0.5),
        "crop": (0.5, 0.5),
        "flip": (0.5,),
        "rotate": (0.5,),
        "scale": ((1 - 1 / 1.2) / (1.2 - 1 / 1.2),) * 2,
    }
    if family not in neutral:
        assert family == "cutout"  # it always hides something
        return
    image = noise(1, 3, 16, 16)
    torch.testing.assert_close(FAMILIES[family](image, uniform(*neutral[family])), image, rtol=1e-4, atol=1e-4)
