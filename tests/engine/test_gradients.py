from __future__ import annotations

from functools import partial
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datastill.engine import Engine
from datastill.engine.gradients import Gradients, WeightGradients
from datastill.functional import gradient_distance
from datastill.networks import Features, Network
from small_networks import close, made, picture

LABELS = torch.tensor([0, 3, 3, 1, 4, 2, 0])


class Smooth(Network):
    """A network without kinks that computes in the precision of its input."""

    name: ClassVar[str] = "smooth"
    summary: ClassVar[str] = "for tests"

    def __init__(self) -> None:
        super().__init__(1, 3, (4, 4))
        self.convolution, self.classifier = nn.Conv2d(1, 2, 3, padding=1), nn.Linear(32, 3)

    def forward(self, images: Tensor) -> Features:
        """Compute the features."""
        map = F.softplus(self.convolution(images))
        return Features((map,), map, map.flatten(1), self.classifier(map.flatten(1)))


def test_gradients_are_those_of_the_mean_loss_whatever_the_micro_batches() -> None:
    network, images = made(), picture(7)
    loss = F.cross_entropy(network(images).logits, LABELS)
    expected = torch.autograd.grad(loss, [weight for weight in network.parameters() if weight.ndim > 1])
    assert len(expected) == 3
    for engine in (Engine(), Engine(micro_batch=3), Engine(precision=torch.bfloat16, micro_batch=2)):
        gradients = WeightGradients(engine, network)
        for found, layer in zip(gradients.exact(images, LABELS), expected, strict=True):
            close(found, layer.flatten(1))
        if engine.precision == torch.float32:
            for found, layer in zip(gradients.of(images, LABELS)[0], expected, strict=True):
                close(found, layer.flatten(1))


@pytest.mark.parametrize("fields", [(), ("embedding",), ("blocks", "logits")])
def test_features_of_the_same_pass_are_those_of_the_network(fields: tuple[str, ...]) -> None:
    network, images = made(), picture(7)
    expected = network(images).only(fields)
    for engine in (Engine(), Engine(micro_batch=3)):
        found = WeightGradients(engine, network, fields).of(images, LABELS)[1]
        pairs = zip((*found.blocks, found.embedding, found.logits), (*expected.blocks, expected.embedding, expected.logits), strict=True)
        for one, other in pairs:
            assert (one.shape, one.requires_grad) == (other.shape, False)
            torch.testing.assert_close(one, other.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's tracer only looks, and hides the warning by itself
def test_a_compiled_pass_gives_the_same_gradients_and_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    network, images = made(), picture(7)
    plain, fast = (WeightGradients(Engine(compiled=compiled, micro_batch=4), network, ("embedding",)) for compiled in (False, True))
    (expected, of_plain), (found, of_fast) = plain.of(images, LABELS), fast.of(images, LABELS)
    for one, other in zip((*found, of_fast.embedding), (*expected, of_plain.embedding), strict=True):
        close(one, other)


def test_a_pull_against_finite_differences() -> None:
    generator = torch.Generator().manual_seed(3)
    network = Smooth()
    network.reset(generator)
    gradients = WeightGradients(Engine(micro_batch=8), network.double())
    images = torch.randn(2, 1, 4, 4, generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.tensor([1, 2])
    real = [torch.randn(each.shape, generator=generator, dtype=torch.float64) for each in _exactly(network, images.detach(), labels)]

    def value(found: Gradients) -> Tensor:
        return torch.stack([gradient_distance(one, other) for one, other in zip(real, found, strict=True)]).sum()

    def towards(found: Gradients) -> Gradients:
        leaves = [each.requires_grad_() for each in found]
        return torch.autograd.grad(value(tuple(leaves)), leaves)

    pulled = gradients.pull(images, labels, towards(gradients.exact(images.detach(), labels)))
    step, expected = 1e-6, torch.zeros_like(pulled)
    for place in range(images.numel()):
        moved = torch.zeros(images.numel(), dtype=torch.float64)
        moved[place] = step
        ahead, behind = (_exactly(network, images.detach() + sign * moved.view_as(images), labels) for sign in (1, -1))
        expected.view(-1)[place] = (value(ahead) - value(behind)) / (2 * step)
    torch.testing.assert_close(pulled, expected, rtol=1e-6, atol=1e-8)


def _exactly(network: Network, images: Tensor, labels: Tensor) -> Gradients:
    loss = F.cross_entropy(network(images).logits, labels)
    found = torch.autograd.grad(loss, [weight for weight in network.parameters() if weight.ndim > 1])
    return tuple(each.flatten(1) for each in found)
