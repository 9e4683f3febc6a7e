from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torchvision.transforms.v2.functional as oracle
from torch import Tensor

from datastill.augment import DSA, FAMILIES, Draw, families
from datastill.augment.dsa import PARAMETERS
from datastill.errors import UserError
from datastill.random import generator

every = pytest.mark.parametrize("family", FAMILIES)
SHAPES = [(3, 10, 10), (1, 8, 14)]


def picture(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def uniform(*numbers: float) -> Tensor:
    """The parameters of one image."""
    return torch.tensor([[*numbers, *(0.5,) * (PARAMETERS - len(numbers))]])


def numbers(images: int, seed: int = 0) -> Tensor:
    return torch.rand(images, PARAMETERS, generator=torch.Generator().manual_seed(seed))


def drawn(dsa: DSA, labels: list[int], images: int = 1) -> Draw:
    return dsa.draw([generator(0, label, "augmentation") for label in labels], images)


def test_the_families_of_the_paper() -> None:
    assert set(FAMILIES) == {"colour", "crop", "cutout", "flip", "scale", "rotate"}
    assert set(DSA().families) == set(FAMILIES)


@every
def test_a_siamese_draw_does_the_same_to_any_number_of_images(family: str) -> None:
    dsa = DSA((family,))
    image = picture(1, 1, 3, 16, 16)
    for seed in range(6):
        draw = dsa.draw([generator(seed)])
        one, five = dsa(image, draw), dsa(image.expand(1, 5, 3, 16, 16), draw)
        assert five.shape == (1, 5, 3, 16, 16)
        assert torch.equal(five, one.expand_as(five))
        assert torch.equal(dsa(image, draw), one)


def test_a_class_is_augmented_alike_whichever_classes_come_with_it() -> None:
    dsa = DSA()
    labels = list(range(12))
    images = picture(12, 3, 3, 16, 16)
    draw = drawn(dsa, labels)
    assert len(set(draw.families)) >= 4
    assert sorted(draw.families) != list(draw.families), "the families came in order: the order of classes was not tested"
    whole = dsa(images, draw)
    for part in (labels[:5], labels[5:], [7], [3, 11]):
        split = drawn(dsa, part)
        assert split.families == tuple(draw.families[label] for label in part)
        assert torch.equal(dsa(images[part], split), whole[part])


@every
def test_every_image_gets_a_gradient_and_the_right_one(family: str) -> None:
    images = picture(2, 2, 4, 5).double().requires_grad_()
    parameters = numbers(2, seed=4).double()
    assert torch.autograd.gradcheck(lambda batch: FAMILIES[family](batch, parameters), (images,))
    (gradient,) = torch.autograd.grad(FAMILIES[family](images, parameters).square().sum(), images)
    assert (gradient.flatten(1).abs().sum(1) > 0).all()


def test_gradients_flow_through_a_batch_of_many_families() -> None:
    dsa = DSA()
    images = picture(12, 2, 3, 16, 16).requires_grad_()
    draw = drawn(dsa, list(range(12)))
    (gradient,) = torch.autograd.grad(dsa(images, draw).square().sum(), images)
    assert (gradient.flatten(2).abs().sum(2) > 0).all()


@every
def test_images_may_have_parameters_of_their_own(family: str) -> None:
    image = picture(3, 16, 16)
    batch = DSA((family,)).batch(image.expand(32, 3, 16, 16), generator(1))
    distinct = len({tuple(entry.flatten().tolist()) for entry in batch})
    # A mirror has two outcomes, a shift by up to two pixels 25.
    assert distinct == 2 if family == "flip" else distinct > (12 if family == "crop" else 28)


def test_a_batch_for_evaluation_has_one_family() -> None:
    image = picture(3, 16, 16)
    dsa = DSA(("flip", "cutout"))
    for seed in range(8):
        batch = dsa.batch(image.expand(64, 3, 16, 16), generator(seed))
        mirrored = sum(torch.equal(entry, image.flip(2)) for entry in batch)
        cut = sum(bool((entry == 0).any()) for entry in batch)
        assert mirrored == 0 or cut == 0
        assert mirrored > 0 or cut > 0


def test_digits_are_not_mirrored() -> None:
    assert "flip" in families(flip=True)
    assert "flip" not in families(flip=False)
    assert set(families(flip=True)) - set(families(flip=False)) == {"flip"}
    draw = drawn(DSA(families(flip=False)), list(range(200)))
    assert set(draw.families) == set(FAMILIES) - {"flip"}


def test_families_come_equally_often() -> None:
    counts = Counter(drawn(DSA(), list(range(3000))).families)
    assert set(counts) == set(FAMILIES)
    # 500 each, standard deviation 20
    assert max(abs(count - 500) for count in counts.values()) < 100


def test_an_unknown_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"unknown augmentation family 'color'. Did you mean 'colour'"):
        DSA(("crop", "color"))


def test_no_families_leave_images_as_they_are() -> None:
    images = picture(4, 3, 3, 8, 8)
    dsa = DSA(())
    assert torch.equal(dsa(images, drawn(dsa, [0, 1, 2, 3])), images)
    assert torch.equal(dsa.batch(images[0], generator(0)), images[0])


def test_uniform_numbers_are_drawn_from_zero_to_one() -> None:
    uniforms = drawn(DSA(), list(range(2000))).uniforms
    assert uniforms.shape == (2000, 1, PARAMETERS)
    assert 0 <= float(uniforms.min()) < 0.01
    assert 0.99 < float(uniforms.max()) < 1
    assert (uniforms.mean((0, 1)) - 0.5).abs().max() < 0.03


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
    images, parameters = picture(3, *shape), numbers(3)
    for image, row, ours in zip(images, parameters, FAMILIES["colour"](images, parameters), strict=True):
        torch.testing.assert_close(ours.double(), naive_colour(image, *row.tolist()), rtol=1e-4, atol=1e-5)


def test_the_ranges_of_colour() -> None:
    flat = torch.full((1, 3, 4, 4), 0.25)
    for drawn_, shift in ((0.0, -0.5), (0.5, 0.0), (1.0, 0.5)):  # saturation and contrast leave a flat grey image alone
        torch.testing.assert_close(FAMILIES["colour"](flat, uniform(drawn_)), flat + shift)
    image = picture(1, 3, 8, 8)
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
    images, parameters = picture(20, *shape), numbers(20, seed=2)
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
    images, parameters = picture(400, 3, 6, 5), numbers(400)
    mirrored = 0
    for image, ours in zip(images, FAMILIES["flip"](images, parameters), strict=True):
        changed = torch.equal(ours, oracle.horizontal_flip(image))
        assert changed or torch.equal(ours, image)
        mirrored += changed
    assert 150 < mirrored < 250  # 200, standard deviation 10


@pytest.mark.parametrize("factor", [1 / 1.2, 0.95, 1.0, 1.2])
def test_scale_is_torchvisions_affine(factor: float) -> None:
    images = picture(1, 3, 16, 16)
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
    images, parameters = picture(4, *shape), torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5], [0.3, 0.8, 0.5], [0.9, 0.9, 0.5]])
    for image, row, ours in zip(images, parameters, FAMILIES["scale"](images, parameters), strict=True):
        horizontal, vertical = (1 / 1.2 + float(row[axis]) * (1.2 - 1 / 1.2) for axis in (0, 1))
        torch.testing.assert_close(ours.double(), warped(image, ((horizontal, 0), (0, vertical))), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degrees", [-15.0, -4.0, 0.0, 15.0])
def test_rotate_by_naive_loops_and_by_torchvision(shape: tuple[int, ...], degrees: float) -> None:
    image = picture(*shape)
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
    image = picture(1, 3, 16, 16)
    torch.testing.assert_close(FAMILIES[family](image, uniform(*neutral[family])), image, rtol=1e-4, atol=1e-4)
