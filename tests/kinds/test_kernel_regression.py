"""What the methods that learn by kernel regression have in common, and what each of them learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import datastill
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.functional import tangent_kernel
from datastill.kinds import KernelRegression
from datastill.kinds.kernel_regression import stepper as stepping
from datastill.kinds.kernel_regression.stepper import RegressionStepper
from datastill.methods import METHODS, method
from datastill.runs import Run
from small_methods import quick
from tiny_sets import data_set

REGRESSIONS = [name for name in METHODS if method(name).kind == KernelRegression.kind]
every = pytest.mark.parametrize("name", REGRESSIONS)


def regression(name: str, **changes: Any) -> KernelRegression:
    composed = quick(name)
    assert isinstance(composed, KernelRegression)
    return replace(composed, **changes)


def opened(composed: KernelRegression, data: DataSet, ipc: int = 2, seed: int = 0) -> RegressionStepper:
    stepper = composed.open(data, Engine(), ipc, seed)
    assert isinstance(stepper, RegressionStepper)
    return stepper


def plain_loss(images: Tensor, labels: Tensor, real: Tensor, targets: Tensor) -> Tensor:
    """The loss of KIP as the paper has it, all real images at once, with an inverse."""
    images, real = images.flatten(1), real.flatten(1)
    among = tangent_kernel(images, images, hidden=1, bias=0.1)
    inverse = torch.linalg.inv(among + 1e-6 * among.trace() / len(images) * torch.eye(len(images), dtype=torch.float64))
    predicted: Tensor = tangent_kernel(real, images, hidden=1, bias=0.1) @ inverse @ labels
    return 0.5 * (predicted - targets).square().mean()


def test_the_kind_has_the_three() -> None:
    assert REGRESSIONS == ["kip", "frepo", "ld"]


def test_a_step_is_that_of_a_plain_loop_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    data, composed = data_set((4, 4, 4)), regression("kip", labels="scores", target_batch=12)
    whole = opened(composed, data)
    pixels = whole.images().flatten(0, 1).double().requires_grad_()
    coded = F.one_hot(torch.arange(3).repeat_interleave(2), 3).double() - 1 / 3
    labels = coded.float().double().requires_grad_()
    real = data.normalise(data.train.images).double()
    loss = plain_loss(pixels, labels, real, F.one_hot(data.train.labels, 3).double() - 1 / 3)
    torch.autograd.backward(loss)
    assert pixels.grad is not None
    assert labels.grad is not None
    moved = [start.detach() - 0.04 * slope / (slope.abs() + 1e-8) for start, slope in ((pixels, pixels.grad), (labels, labels.grad))]
    monkeypatch.setattr(stepping, "CHUNK_BYTES", 1)  # one real image of every class at a time
    parts = opened(composed, data)
    for stepper in (whole, parts):
        assert stepper.step(0)["loss"] == pytest.approx(float(loss.detach()), rel=1e-9)
        # Adam's first step: the rate, in the direction of the gradient
        torch.testing.assert_close(stepper.images().flatten(0, 1).double(), moved[0], rtol=0, atol=1e-4)
        torch.testing.assert_close(stepper.canvas().labels.double(), moved[1], rtol=0, atol=1e-4)


def test_nothing_is_lost_where_the_set_is_all_of_the_real_images() -> None:
    figures = opened(regression("kip"), data_set((4, 4, 4)), ipc=4).step(0)
    assert figures["loss"] < 1e-9
    assert figures["target_accuracy"] == 100


@every
def test_what_is_learned_is_what_it_says(tiny: DataSet, name: str) -> None:
    composed = regression(name, inner_batch=5)
    stepper = opened(composed, tiny)
    before, first = stepper.images(), stepper.canvas()
    for iteration in range(3):
        stepper.step(iteration)
    canvas = stepper.canvas()
    assert torch.equal(stepper.images(), before) is not composed.images
    assert canvas.label_kind == {"fixed": "hard"}.get(composed.labels, composed.labels)
    assert torch.equal(canvas.labels, first.labels) is (composed.labels == "fixed")
    if composed.labels == "probabilities":
        torch.testing.assert_close(canvas.labels.sum(1), torch.ones(6))
        assert float(canvas.labels.min()) >= 0


def test_a_network_is_drawn_again_after_its_uses(tiny: DataSet) -> None:
    stepper, drawn = opened(regression("frepo", pool=1, uses=2), tiny), []
    for iteration in range(4):
        stepper.step(iteration)
        drawn.append(int(stepper.state()["kernel/drawn"]))
    assert drawn == [0, 1, 1, 2]


@every
def test_regression_on_digits_gets_better_and_the_run_says_how_good_it_is(tmp_path: Path, name: str) -> None:
    composed = method(name, preset="fast", settings=["target_batch=300", "scored_every=1"])
    datastill.distill("digits", method=composed, ipc=1, iterations=15, out=tmp_path / "run", engine=Engine())
    reached = [entry["regression_accuracy"] for entry in Run(tmp_path / "run").metrics()]
    assert len(reached) == 15
    assert sum(reached[-3:]) / 3 > reached[0] + 5


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("kip", {"images": False}, "kip would learn nothing: use `images=true`, or `labels=scores`"),
        ("kip", {"labels": "soft"}, "unknown kind of labels of kernel regression 'soft'"),
        ("kip", {"ridge": 0.0}, "kip needs a learning rate and a ridge above 0, got 0.04 and 0.0"),
        ("kip", {"hidden": 0}, "kip needs at least 1 hidden layer and a bias of at least 0, got 0 and 0.1"),
        ("kip", {"target_batch": 0}, "kip needs a target batch of at least 1"),
        ("kip", {"initialisation": "zeros"}, "unknown initialisation 'zeros'"),
        ("frepo", {"pool": 0}, "frepo needs a pool and uses of at least 1"),
    ],
)
def test_values_that_make_no_sense_are_refused(name: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        regression(name, **changes)


def test_data_and_networks_that_do_not_fit_are_refused(tiny: DataSet) -> None:
    with pytest.raises(UserError, match="the features of convnet-bn depend on the whole batch: use another network"):
        regression("frepo", network="convnet-bn").check(tiny, 2)
    with pytest.raises(UserError, match="fewer than IPC 99: use `initialisation=augmented` for changed copies of its images, `ipc="):
        regression("kip").check(tiny, 99)
    with pytest.raises(UserError, match="the class 'ship' has no training image, but kip needs one of every class to predict"):
        regression("kip").check(data_set((6, 5, 0)), 1)
