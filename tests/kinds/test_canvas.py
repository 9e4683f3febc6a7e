from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datastill.kinds.canvas import PixelSGD

CLASSES, ITERATIONS = 4, 7
momenta = pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
halvings = pytest.mark.parametrize("halve_at", [(), (3,), (0, 2, 2, 5)])


def pixels() -> Tensor:
    return torch.randn(CLASSES, 2, 1, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()


def class_loss(images: Tensor, label: int, iteration: int) -> Tensor:
    """A loss of one class's pixels, another one for every class and iteration."""
    scale = 1 + 0.3 * label
    return 0.5 * scale * (images[label] - label).square().sum() + torch.sin(images[label] * (2 + 0.1 * iteration)).sum()


def rate(iteration: int, halve_at: tuple[int, ...]) -> float:
    return float(0.1 / 2 ** len([bound for bound in halve_at if bound <= iteration]))


@momenta
@halvings
def test_one_step_for_all_classes_is_torchs_sgd(momentum: float, halve_at: tuple[int, ...]) -> None:
    ours, theirs = pixels(), pixels()
    optimizer = PixelSGD(ours, learning_rate=0.1, momentum=momentum, halve_at=halve_at)
    expected = torch.optim.SGD([theirs], lr=0.1, momentum=momentum)
    for iteration in range(ITERATIONS):
        optimizer.before(iteration)
        torch.autograd.backward(sum((class_loss(ours, label, iteration) for label in range(CLASSES)), torch.zeros(())))
        optimizer.step(iteration)
        expected.param_groups[0]["lr"] = rate(iteration, halve_at)
        expected.zero_grad()
        torch.autograd.backward(sum((class_loss(theirs, label, iteration) for label in range(CLASSES)), torch.zeros(())))
        expected.step()
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@momenta
@halvings
def test_one_step_a_class_is_the_published_loop(momentum: float, halve_at: tuple[int, ...]) -> None:
    """One tensor of all classes, one optimizer, which steps after the loss of each class."""
    ours, theirs = pixels(), pixels()
    optimizer = PixelSGD(ours, learning_rate=0.1, momentum=momentum, by_class=True, halve_at=halve_at)
    expected = torch.optim.SGD([theirs], lr=0.1, momentum=momentum)
    for iteration in range(ITERATIONS):
        optimizer.before(iteration)
        torch.autograd.backward(sum((class_loss(ours, label, iteration) for label in range(CLASSES)), torch.zeros(())))
        optimizer.step(iteration)
        expected.param_groups[0]["lr"] = rate(iteration, halve_at)
        for label in range(CLASSES):
            expected.zero_grad()
            torch.autograd.backward(class_loss(theirs, label, iteration))
            expected.step()
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
        if momentum:
            torch.testing.assert_close(optimizer.velocity, expected.state[theirs]["momentum_buffer"], rtol=1e-11, atol=1e-11)
    assert not torch.allclose(ours, pixels())


def test_with_momentum_a_step_a_class_goes_further_than_one_for_all() -> None:
    moved = []
    for by_class in (False, True):
        ours = pixels()
        optimizer = PixelSGD(ours, learning_rate=0.01, momentum=0.9, by_class=by_class)
        for iteration in range(2):
            optimizer.before(iteration)
            torch.autograd.backward(ours.sum())
            optimizer.step(iteration)
        moved.append(float((pixels() - ours).mean().detach()))
    assert moved[1] > 2 * moved[0] > 0


def test_without_a_gradient_nothing_moves() -> None:
    ours = pixels()
    optimizer = PixelSGD(ours, learning_rate=0.1, momentum=0.5)
    torch.autograd.backward(ours.sum())
    optimizer.before(0)
    assert ours.grad is None
    optimizer.step(0)
    assert torch.equal(ours, pixels())
