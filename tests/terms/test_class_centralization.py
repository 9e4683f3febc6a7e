from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from datastill.encoders import PretrainedPool
from datastill.errors import UserError
from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import ClassCentralization

NOTHING = Features(blocks=(), map=torch.empty(0), embedding=torch.empty(0), logits=torch.empty(0))
# Class 0 about (1, 0): squared distances 1, 1. Class 1 about (0, 2): 4, 4.
EMBEDDING = torch.tensor([[[0.0, 0.0], [2.0, 0.0]], [[0.0, 0.0], [0.0, 4.0]]], dtype=torch.float64)


def embedded(embedding: Tensor) -> Features:
    return Features(blocks=(), map=torch.empty(0), embedding=embedding, logits=torch.empty(0))


def test_the_squared_form_by_hand() -> None:
    assert float(ClassCentralization(form="squared")(NOTHING, embedded(EMBEDDING))) == 10


@pytest.mark.parametrize(("alpha", "beta"), [(0.02, 0.5), (0.5, 0.0), (0.1, 1.3)])
def test_the_hinge_by_hand(alpha: float, beta: float) -> None:
    expected = sum(max(0.0, math.exp(alpha * distance) - beta) for distance in (1, 1, 4, 4))
    term = ClassCentralization(form="hinge", alpha=alpha, beta=beta)
    assert float(term(NOTHING, embedded(EMBEDDING))) == pytest.approx(expected, rel=1e-12)


def test_inside_the_threshold_nothing_is_pulled() -> None:
    # exp(0.1 * 1) < 1.3 < exp(0.1 * 4): class 0 is left alone, class 1 is not.
    embedding = EMBEDDING.clone().requires_grad_()
    ClassCentralization(alpha=0.1, beta=1.3)(NOTHING, embedded(embedding)).backward()  # type: ignore[no-untyped-call]  # torch's own
    assert embedding.grad is not None
    assert float(embedding.grad[0].abs().max()) == 0
    assert float(embedding.grad[1].abs().max()) > 0


def test_real_images_are_not_asked_for() -> None:
    assert not ClassCentralization.compares
    assert ClassCentralization.encoder == "pretrained"
    assert ClassCentralization.brings == PretrainedPool("resnet18")


@pytest.mark.parametrize(("ipc", "weight"), [(1, 0.05), (10, 0.05), (50, 0.003)])
def test_the_published_weights(ipc: int, weight: float) -> None:
    paper, code = (ClassCentralization.suited(Setting("cifar10", 10, ipc, preset)) for preset in ("paper", "code"))
    assert (paper.weight, paper.form) == (weight, "hinge")
    assert (code.weight, code.form) == (weight, "squared")
    assert paper.beta < 0.7  # where the paper's sweep is best


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(UserError, match="unknown form 'cubed' of class centralization; expected hinge or squared"):
        ClassCentralization(form="cubed")


@pytest.mark.parametrize("alpha", [0.0, -1.0])
def test_an_alpha_that_does_not_pull_is_refused(alpha: float) -> None:
    with pytest.raises(UserError, match="alpha of class centralization must be above 0"):
        ClassCentralization(alpha=alpha)


@pytest.mark.parametrize(("read", "images", "share"), [(2, 2, 1.0), (2, 3, 0.5), (3, 8, 2 / 7), (8, 8, 1.0), (10, 40, 9 / 39)])
@pytest.mark.parametrize("form", ["hinge", "squared"])
def test_some_of_the_images_are_nearer_to_their_own_centre(form: str, read: int, images: int, share: float) -> None:
    """Two of many images amount to a spread of one degree of freedom, of so many as there are images less one."""
    assert ClassCentralization(form=form).share(read, images) == pytest.approx(share)


@pytest.mark.parametrize("form", ["hinge", "squared"])
def test_a_single_image_is_refused(form: str) -> None:
    with pytest.raises(UserError, match="at least two images a class"):
        ClassCentralization(form=form)(NOTHING, embedded(torch.zeros(3, 1, 4)))
