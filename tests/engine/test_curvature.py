"""Derivatives along a direction of the weights: against a graph through the gradient, compiled and with batch norm too."""

from __future__ import annotations

import shutil

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.engine import Engine
from datastill.engine.convolution import DIRECT, WINOGRAD, use
from datastill.engine.curvature import Curvature
from datastill.networks import Network, build
from datastill.networks.layers import Convolution

COMPILER = any(shutil.which(name) for name in ("g++", "clang++", "c++"))
LABELS = torch.tensor([0, 2, 1, 2])


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def network(name: str) -> Network:
    made = build(name, channels=1, classes=3, size=(8, 8))
    made.reset(torch.Generator().manual_seed(0))
    return made


def by_a_graph(made: Network, direction: tuple[Tensor, ...], images: Tensor) -> tuple[Tensor, ...]:
    images, weights = images.requires_grad_(), list(made.parameters())
    slopes = torch.autograd.grad(F.cross_entropy(made(images).logits, LABELS), weights, create_graph=True)
    along = torch.stack([(slope * each).sum() for slope, each in zip(slopes, direction, strict=True)]).sum()
    return (along.detach(), *torch.autograd.grad(along, (images, *weights), allow_unused=True, materialize_grads=True))


def close(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    """The loss's and the images', and all weights' together: those of a bias before a norm are rounding alone."""
    for part in (slice(0, 1), slice(1, 2), slice(2, len(found))):
        one, other = (torch.cat([each.flatten() for each in (torch.zeros(1), *derivatives[part])]) for derivatives in (found, expected))
        assert float((one - other).norm()) <= 1e-4 * float(other.norm())


def check(made: Network, engine: Engine) -> None:
    direction = tuple(drawn(number, *weight.shape) for number, weight in enumerate(made.parameters()))
    weights, images = tuple(weight.detach().clone() for weight in made.parameters()), drawn(90, 4, 1, 8, 8)
    expected, curvature = by_a_graph(made, direction, images.clone()), Curvature(engine, made)
    for of_weights in (True, False):
        found = curvature.along(direction, weights, images, LABELS, of_weights=of_weights)
        assert len(found) == (len(expected) if of_weights else 2)
        assert not any(each.requires_grad for each in found)
        close(found, expected)


@pytest.mark.parametrize("name", ["convnet", "alexnet", "vgg11", "resnet18"])
def test_derivatives_are_those_of_a_graph_through_the_gradient(name: str) -> None:
    check(network(name), Engine())


def test_a_batch_norm_has_the_statistics_that_the_network_has_then() -> None:
    made = network("convnet-bn")
    curvature = Curvature(Engine(), made)
    made.train()
    made(3 + 2 * drawn(7, 16, 1, 8, 8))
    made.eval()
    direction, images = tuple(drawn(number, *weight.shape) for number, weight in enumerate(made.parameters())), drawn(90, 4, 1, 8, 8)
    found = curvature.along(direction, tuple(weight.detach() for weight in made.parameters()), images, LABELS, of_weights=False)
    close(found, by_a_graph(made, direction, images.clone()))


def test_micro_batches_add_up_and_the_last_is_padded() -> None:
    made = network("convnet")
    check(made, Engine(micro_batch=3))
    curvature, direction = Curvature(Engine(micro_batch=2), made), tuple(torch.ones_like(weight) for weight in made.parameters())
    weights, images = tuple(weight.detach() for weight in made.parameters()), drawn(90, 4, 1, 8, 8)
    curvature.along(direction, weights, images, LABELS, of_weights=False)
    fewer = curvature.along(direction, weights, images[:3], LABELS[:3], of_weights=False)  # in pieces of two again: nothing is compiled
    whole = Curvature(Engine(), made).along(direction, weights, images[:3], LABELS[:3], of_weights=False)
    assert fewer[1].shape == images[:3].shape
    close(fewer, whole)


@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
def test_a_network_with_kernels_of_our_own_goes_the_direct_way() -> None:
    """They have no derivative in forward mode, and every processor that computes in 32 bits uses them."""
    made = build("convnet-32x2-relu-avgpool-instancenorm", channels=3, classes=3, size=(8, 8))
    use(made, WINOGRAD)
    assert all(layer.other is not None for layer in made.modules() if isinstance(layer, Convolution))
    direction, images = tuple(drawn(number, *weight.shape) for number, weight in enumerate(made.parameters())), drawn(90, 4, 3, 8, 8)
    found = Curvature(Engine(), made).along(direction, tuple(each.detach() for each in made.parameters()), images, LABELS, of_weights=True)
    use(made, DIRECT)
    close(found, by_a_graph(made, direction, images.clone()))


@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
def test_compiled_it_is_the_same() -> None:
    engine = Engine.choose(device="cpu", precision="fp32", compile=True)
    check(network("convnet-8x1-relu-avgpool-instancenorm"), engine)
