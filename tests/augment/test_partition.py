from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.augment import check_factor, expand, pack
from datastill.errors import UserError
from small_networks import noise

SHAPES = [((3, 8, 8), 2), ((1, 9, 11), 2), ((3, 8, 12), 2), ((3, 13, 16), 3), ((1, 32, 32), 4)]
every = pytest.mark.parametrize(("shape", "factor"), SHAPES)


@pytest.mark.parametrize("factor", [2, 4])
def test_parts_are_quadrants_enlarged_as_torch_enlarges_them(factor: int) -> None:
    images = noise(3, 2, 16, 24)
    parts = expand(images, factor)
    height, width = 16 // factor, 24 // factor
    cells = [(image, row, column) for image in range(3) for row in range(factor) for column in range(factor)]
    assert parts.shape == (len(cells), 2, 16, 24)
    for part, (image, row, column) in zip(parts, cells, strict=True):
        cell = images[image, :, row * height : (row + 1) * height, column * width : (column + 1) * width]
        expected = F.interpolate(cell[None], size=(16, 24), mode="bilinear", align_corners=False)[0]
        assert torch.equal(part, expected)


def naive_enlarged(cell: Tensor, height: int, width: int) -> Tensor:
    """Bilinear interpolation between the centres of pixels, a number at a time; beyond the outer centres the nearest."""
    result = torch.zeros(len(cell), height, width, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            y = min(max((row + 0.5) * cell.shape[1] / height - 0.5, 0.0), cell.shape[1] - 1.0)
            x = min(max((column + 0.5) * cell.shape[2] / width - 0.5, 0.0), cell.shape[2] - 1.0)
            for top in (int(y), int(y) + 1):
                for left in (int(x), int(x) + 1):
                    share = (1 - abs(y - top)) * (1 - abs(x - left))
                    if share > 0:
                        result[:, row, column] += share * cell[:, top, left].double()
    return result


def test_odd_sides_are_cut_as_evenly_as_whole_pixels_allow() -> None:
    image = noise(1, 2, 9, 11)
    cells = [image[0, :, rows, columns] for rows in (slice(0, 4), slice(4, 9)) for columns in (slice(0, 6), slice(6, 11))]
    for part, cell in zip(expand(image, 2), cells, strict=True):
        torch.testing.assert_close(part.double(), naive_enlarged(cell, 9, 11), rtol=1e-4, atol=1e-5)


@every
def test_packed_images_come_back_in_their_order_but_for_the_resolution(shape: tuple[int, int, int], factor: int) -> None:
    flat = torch.arange(2.0 * factor**2)[:, None, None, None].expand(-1, *shape)
    packed = pack(flat, factor)
    assert packed.shape == (2, *shape)
    torch.testing.assert_close(expand(packed, factor), flat.contiguous())


def test_a_packed_image_is_a_smaller_version_that_lost_only_detail() -> None:
    slope = torch.linspace(0, 1, 16).expand(1, 16, 16)
    images = torch.stack([slope, slope.mT, 1 - slope, noise(1, 16, 16)])
    packed = pack(images, 2)
    for number, (top, left) in enumerate([(0, 0), (0, 8), (8, 0), (8, 8)]):
        cell = packed[0, :, top : top + 8, left : left + 8]
        expected = F.interpolate(images[number][None], size=(8, 8), mode="bilinear", antialias=True, align_corners=False)[0]
        assert torch.equal(cell, expected)
        assert float(cell.mean()) == pytest.approx(float(images[number].mean()), abs=0.05)
    torch.testing.assert_close(expand(packed, 2)[0][:, :, 2:-2], slope[:, :, 2:-2], atol=0.01, rtol=0)


@every
def test_every_pixel_gets_a_gradient_from_its_own_part(shape: tuple[int, int, int], factor: int) -> None:
    images = noise(2, *shape).requires_grad_()
    parts = expand(images, factor)
    (gradient,) = torch.autograd.grad(parts.sum(), images)
    assert float(gradient.min()) > 0
    (first,) = torch.autograd.grad(expand(images, factor)[0].sum(), images)
    seen = (first != 0).any(1)
    assert not bool(seen[1].any())
    assert bool(seen[0, : shape[1] // factor, : shape[2] // factor].all())
    assert int(seen[0].sum()) <= (shape[1] // factor + 1) * (shape[2] // factor + 1)


def test_gradients_are_right() -> None:
    images = noise(1, 1, 8, 9).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda batch: expand(batch, 2), (images,))


def test_one_part_is_the_image_itself() -> None:
    images = noise(2, 3, 3, 3)  # smaller than any part may be
    assert expand(images, 1) is images
    assert pack(images, 1) is images


@pytest.mark.parametrize(("factor", "height", "width", "most"), [(0, 8, 8, 2), (-1, 8, 8, 2), (3, 8, 8, 2), (2, 9, 7, 1), (2, 3, 30, 1)])
def test_a_factor_that_leaves_too_little_is_refused(factor: int, height: int, width: int, most: int) -> None:
    said = f"images of {height}x{width} pixels cannot be cut into {factor}x{factor} parts: .* so at most {most}$"
    for attempt in (lambda: check_factor(factor, height, width), lambda: expand(torch.zeros(1, 3, height, width), factor)):
        with pytest.raises(UserError, match=said):
            attempt()


@pytest.mark.parametrize(("factor", "height", "width"), [(1, 3, 3), (1, 8, 8), (2, 8, 8), (2, 9, 8), (8, 32, 40)])
def test_a_factor_that_fits_gives_the_size_back(factor: int, height: int, width: int) -> None:
    assert check_factor(factor, height, width) == (height, width)
