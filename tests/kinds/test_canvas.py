from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.kinds.canvas import Canvas, PixelSGD
from small_methods import opened, small

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


def test_initial_pixels_are_distinct_real_images_of_their_class(tiny: DataSet) -> None:
    real = tiny.normalise(tiny.train.images)
    images = opened(small("dm"), tiny, ipc=12).images()
    for label in range(3):
        members = real[12 * label : 12 * label + 12]
        found = [[int(torch.equal(image, member)) for member in members] for image in images[label]]
        assert [sum(row) for row in found] == [1] * 12
        assert [sum(column) for column in zip(*found, strict=True)] == [1] * 12
    assert not torch.equal(opened(small("dm"), tiny, ipc=12, seed=1).images(), images)


def test_initial_noise_is_normal(tiny: DataSet) -> None:
    images = opened(small("dm", initialisation="noise"), tiny, ipc=40).images()
    assert images.shape == (3, 40, 3, 8, 8)
    assert abs(float(images.mean())) < 0.03
    assert float(images.std()) == pytest.approx(1, abs=0.02)
    assert not torch.equal(images[0], images[1])


def test_a_canvas_stacked_by_class_has_hard_labels() -> None:
    images = torch.randn(3, 2, 1, 4, 4)
    canvas = Canvas.stacked(images)
    assert torch.equal(canvas.images, images.flatten(0, 1))
    assert canvas.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert (canvas.label_kind, dict(canvas.numbers)) == ("hard", {})
    assert list(canvas.tensors()) == ["images"]
