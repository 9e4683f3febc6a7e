"""Steps on functional weights, and the way back through them, against a plain loop and finite differences."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from datastill.engine import Engine
from datastill.engine.curvature import Weights
from datastill.engine.unrolled import Step, Unrolled
from datastill.networks import Features, Network

CLASSES, STEPS = 3, 3


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Soft(Network):
    """A network without a kink, which also computes in 64 bits."""

    name: ClassVar[str] = "soft"
    summary: ClassVar[str] = "for tests"

    def __init__(self) -> None:
        super().__init__(1, CLASSES, (8, 8))
        self.convolution, self.classifier = nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Linear(32, CLASSES)

    def forward(self, images: Tensor) -> Features:
        """Compute the features."""
        map = F.softplus(self.convolution(images))
        return Features((map,), map, map.flatten(1), self.classifier(map.flatten(1)))


def network() -> Network:
    made = Soft()
    made.reset(torch.Generator().manual_seed(0))
    return made.double()


LABELS = torch.arange(CLASSES)
REAL, OF_REAL = drawn(7, 1, 8, 8, seed=1), torch.arange(7) % CLASSES


def result(images: Tensor, rates: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]], Weights]:
    """The summed loss after steps, its derivatives by step, and the last weights."""
    unrolled, start = Unrolled(network(), Engine(micro_batch=3)), tuple(network().parameters())
    steps = [Step(images[number], LABELS, rates[number]) for number in range(STEPS)]
    trajectory = unrolled.forward(start, steps)
    loss, _, gradient = unrolled.outcome(trajectory[-1], REAL, OF_REAL)
    return loss, unrolled.backward(trajectory, steps, gradient), trajectory[-1]


def test_steps_and_derivatives_are_those_of_a_graph_through_everything() -> None:
    images, rates = drawn(STEPS, CLASSES, 1, 8, 8, seed=2).requires_grad_(), torch.tensor([0.5, 0.1, 0.3]).double().requires_grad_()
    made = network()
    weights: dict[str, Tensor] = dict(made.named_parameters())
    for number in range(STEPS):
        loss = F.cross_entropy(functional_call(made, weights, (images[number],)).logits, LABELS)
        slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        weights = {name: weight - rates[number] * slope for (name, weight), slope in zip(weights.items(), slopes, strict=True)}
    total = F.cross_entropy(functional_call(made, weights, (REAL,)).logits, OF_REAL, reduction="sum")
    of_images, of_rates = torch.autograd.grad(total, (images, rates))
    loss, found, last = result(images, rates)
    torch.testing.assert_close(loss, total.detach())
    for one, other in zip(last, weights.values(), strict=True):
        torch.testing.assert_close(one, other.detach())
    torch.testing.assert_close(torch.stack([each for each, _ in found]), of_images)
    torch.testing.assert_close(torch.stack([each for _, each in found]), of_rates)


def test_derivatives_agree_with_finite_differences() -> None:
    images, rates, width = drawn(STEPS, CLASSES, 1, 8, 8, seed=2), torch.tensor([0.5, 0.1, 0.3]).double(), 1e-6
    _, found, _ = result(images, rates)
    for seed in range(2):
        along, aside = drawn(*images.shape, seed=10 + seed), drawn(STEPS, seed=20 + seed)
        expected = sum(float((slope * along[number]).sum() + of_rate * aside[number]) for number, (slope, of_rate) in enumerate(found))
        losses = [result(images + sign * width * along, rates + sign * width * aside)[0] for sign in (1, -1)]
        torch.testing.assert_close((losses[0] - losses[1]) / (2 * width), torch.tensor(expected).double(), rtol=1e-4, atol=1e-6)
