from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.engine.convolution import operators
from datastill.engine.convolution.native import last
from small_networks import noise

pytestmark = pytest.mark.skipif(not any(shutil.which(name) for name in ("g++", "clang++", "c++")), reason="no C++ compiler")

Convolve = Callable[[Tensor, Tensor, Tensor], Tensor]


def winograd(maps: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    made: Tensor = operators.winograd(maps, weights, bias, False)
    return made


def turned(maps: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    made: Tensor = operators.winograd(maps, weights, bias, True)
    return made


def library(maps: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(maps, weights, bias, padding=1)


def library_turned(maps: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    return F.conv_transpose2d(maps, weights, bias, padding=1)


def far(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).detach().norm() / expected.detach().norm())


def results(convolve: Convolve, shapes: tuple[tuple[int, ...], ...], count: int | None = None) -> list[Tensor]:
    """What comes of noise, its gradients, and the gradients of a function of the gradients."""
    inputs = [noise(*shape, seed=seed).div_(shape[1] ** 0.5 if len(shape) > 1 else 1) for seed, shape in enumerate(shapes)]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    made = convolve(*inputs)
    first = torch.autograd.grad((made**3).sum(), inputs, create_graph=True)
    second = torch.autograd.grad(sum(((gradient**3).mean() for gradient in first), torch.zeros(())), inputs)
    return [made, *first, *second][:count]


@pytest.mark.parametrize(
    ("images", "inputs", "outputs", "size"),
    [(2, 32, 64, (8, 8)), (3, 64, 32, (9, 6)), (1, 32, 32, (4, 5)), (5, 128, 96, (16, 16)), (130, 32, 32, (4, 4))],
)
def test_a_convolution_and_its_first_and_second_gradients_are_the_librarys(
    images: int, inputs: int, outputs: int, size: tuple[int, int]
) -> None:
    shapes = (images, inputs, *size), (outputs, inputs, 3, 3), (outputs,)
    for found, expected in zip(results(winograd, shapes), results(library, shapes), strict=True):
        assert far(found, expected) < 1e-4
    shapes = (images, outputs, *size), (outputs, inputs, 3, 3), (inputs,)
    for found, expected in zip(results(turned, shapes), results(library_turned, shapes), strict=True):
        assert far(found, expected) < 1e-4


@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_layer_and_its_first_and_second_gradients_are_the_librarys(channels: int) -> None:
    shapes = (4, channels, 7, 6), (64, channels, 3, 3), (64,)
    for found, expected in zip(results(operators.first_layer, shapes), results(library, shapes), strict=True):
        assert far(found, expected) < 1e-4


def test_norm_rectifier_and_pool_and_their_gradients_are_the_librarys() -> None:
    def plain(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.avg_pool2d(F.relu(F.instance_norm(maps, weight=weight, bias=bias)), 2)

    def ours(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        pooled: Tensor = operators.normalised(maps, weight, bias, 1e-5)[0]
        return pooled

    found: list[Tensor] = []
    expected: list[Tensor] = []
    for compute, kept in ((ours, found), (plain, expected)):
        inputs = [tensor.requires_grad_() for tensor in (3 * noise(3, 64, 6, 10) + 20, noise(64, seed=1), noise(64, seed=2))]
        pooled = compute(*inputs)
        kept += [pooled, *torch.autograd.grad((pooled * noise(*pooled.shape, seed=3)).sum(), inputs)]
    for one, other in zip(found, expected, strict=True):
        assert far(one, other) < 1e-4


def test_norm_rectifier_and_pool_of_16_bit_maps_are_those_of_the_same_values_in_32_bits() -> None:
    maps, weight, bias = last(3 * noise(3, 64, 6, 10) + 20).bfloat16(), noise(64, seed=1), noise(64, seed=2)
    gradient = last(noise(3, 64, 3, 5, seed=3)).bfloat16()
    pooled, *kept = operators.normalised(maps, weight, bias, 1e-5)
    expected, *as_kept = operators.normalised(maps.float(), weight, bias, 1e-5)
    assert [pooled.dtype, *(each.dtype for each in kept)] == [torch.bfloat16, torch.float32, torch.float32]
    assert torch.equal(pooled, expected.bfloat16())
    assert all(torch.equal(one, same) for one, same in zip(kept, as_kept, strict=True))
    of_maps, *others = operators.normalised_gradients(maps, gradient, weight, bias, *kept)
    expected, *as_others = operators.normalised_gradients(maps.float(), gradient.float(), weight, bias, *kept)
    assert of_maps.dtype == torch.bfloat16
    assert torch.equal(of_maps, expected.bfloat16())
    assert all(torch.equal(one, same) for one, same in zip(others, as_others, strict=True))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_what_is_not_finite_stays_so(precision: torch.dtype) -> None:
    maps, ones = last(noise(1, 64, 4, 4)), torch.ones(64)
    maps[0, 1, 2, 2], maps[0, 40, 0, 0] = float("nan"), float("inf")
    pooled, *kept = operators.normalised(maps.to(precision), ones, ones, 1e-5)
    of_maps = operators.normalised_gradients(maps.to(precision), pooled, ones, ones, *kept)[0]
    for found in (pooled, of_maps):
        assert found.isfinite().logical_not().any(3).any(2)[0].nonzero().flatten().tolist() == [1, 40]


def test_neither_threads_nor_layout_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the place in the batch: every image is computed alone."""
    maps, weights, bias = noise(7, 32, 12, 12), noise(64, 32, 3, 3, seed=1), noise(64, seed=2)
    colours, first = noise(7, 3, 12, 12), noise(64, 3, 3, 3, seed=1)
    scale = noise(32, seed=4)

    def computed() -> list[Tensor]:
        made = operators.winograd(maps, weights, bias, False)
        normalised = operators.normalised(maps, scale, scale, 1e-5)
        of_maps = operators.normalised_gradients(maps, normalised[0], scale, scale, *normalised[1:])
        return [
            made, *operators.winograd_weights(maps, made), operators.first_layer(colours, first, None),
            *operators.first_layer_weights(colours, made), *normalised, *of_maps,
        ]  # fmt: skip

    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(computed())
    finally:
        torch.set_num_threads(threads)
    maps = last(maps)
    found.append(computed())
    for other in found[1:]:
        assert all(torch.equal(one, same) for one, same in zip(found[0], other, strict=True))
    alone = operators.winograd(maps[3:4], weights, bias, False)
    assert torch.equal(alone, found[0][0][3:4])
