"""``pixels=box``: the canvas stays within what 8 bits hold; by default nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datastill import DistilledSet, distill, export
from datastill.data import DataSet
from datastill.errors import UserError
from datastill.kinds.canvas import PixelSGD, bounds_of_bytes
from datastill.methods import method
from small_methods import opened, small
from tiny_sets import same_bits


def test_the_bounds_are_black_and_white(tiny: DataSet) -> None:
    low, high = bounds_of_bytes(tiny, torch.device("cpu"))
    for channel, (mean, std) in enumerate(zip(tiny.mean, tiny.std, strict=True)):
        assert float(low[channel]) == pytest.approx((0 - mean) / std)
        assert float(high[channel]) == pytest.approx((1 - mean) / std)


def test_a_step_is_that_of_sgd_moved_to_the_nearest_value_within_bounds() -> None:
    values = torch.tensor([-0.9, 0.0, 0.9, 5.0]).view(1, 1, 1, 2, 2)
    pixels = values.clone().requires_grad_()
    optimizer = PixelSGD(pixels, learning_rate=1.0, momentum=0.5, bounds=(torch.tensor(-1.0), torch.tensor(1.0)))
    assert pixels.flatten().tolist() == pytest.approx([-0.9, 0.0, 0.9, 1.0])
    expected = pixels.detach().clone().flatten()
    velocity = torch.zeros(4)
    gradients = [torch.tensor([0.5, -0.25, -0.5, 0.75]), torch.tensor([-0.1, 0.0, 0.5, -3.0])]
    for iteration, gradient in enumerate(gradients):
        optimizer.before(iteration)
        pixels.grad = gradient.view_as(pixels).clone()
        optimizer.step(iteration)
        velocity = 0.5 * velocity + gradient
        expected = (expected - velocity).clamp(-1, 1)
        assert torch.allclose(pixels.detach().flatten(), expected)


@pytest.mark.parametrize("settings", [[], ["averaging=0.9"], ["initialisation=noise"]])
@pytest.mark.parametrize("name", ["dm", "idm"])
def test_the_canvas_stays_within_what_eight_bits_hold(tiny: DataSet, name: str, settings: list[str]) -> None:
    low, high = bounds_of_bytes(tiny, torch.device("cpu"))
    steppers = {pixels: opened(small(name, "learning_rate=50", *settings, f"pixels={pixels}"), tiny) for pixels in ("free", "box")}
    for stepper in steppers.values():
        for iteration in range(4):
            stepper.step(iteration)
    free, box = (steppers[pixels].images() for pixels in ("free", "box"))
    assert bool(((free < low - 0.1) | (free > high + 0.1)).any())
    assert bool(((box >= low) & (box <= high)).all())
    assert not torch.equal(box, free.clamp(low, high)), "the pixels are bounded while they move, not at the end"


def test_without_it_nothing_changes(tiny: DataSet) -> None:
    plain, free = opened(small("dm"), tiny), opened(small("dm", "pixels=free"), tiny)
    for stepper in (plain, free):
        stepper.step(0)
    assert same_bits(plain.images(), free.images())
    assert opened(small("dm"), tiny).optimizer.bounds is None


def test_an_export_of_such_a_set_loses_only_the_rounding(tiny: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    boxed = distill(tiny, method=small("dm", "learning_rate=50", "pixels=box"), ipc=2, iterations=3, out=tmp_path / "run")
    assert boxed.clipped == 0
    assert boxed.loss_of_rendering < 0.5 / 255 / min(tiny.std)
    export(DistilledSet.load(tmp_path / "run"), tmp_path / "exported", "folder")
    assert "clipped" not in caplog.text
    free = distill(tiny, method=small("dm", "learning_rate=50"), ipc=2, iterations=3)
    assert free.clipped > 0.01


def test_a_resumed_run_equals_an_uninterrupted_one(tiny: DataSet, tmp_path: Path) -> None:
    boxed = small("dm", "learning_rate=50", "averaging=0.5", "pixels=box")
    whole = distill(tiny, method=boxed, ipc=2, iterations=4, out=tmp_path / "whole")
    distill(tiny, method=boxed, ipc=2, iterations=2, out=tmp_path / "parts")
    assert same_bits(distill(tiny, method=boxed, ipc=2, iterations=4, out=tmp_path / "parts", resume=True).images, whole.images)


def test_other_words_are_refused() -> None:
    with pytest.raises(UserError, match=r"unknown setting of pixels 'boxes'\. Did you mean 'box'"):
        method("dm", settings=["pixels=boxes"])
    with pytest.raises(UserError, match="pixels"):
        method("herding", settings=["pixels=box"])
