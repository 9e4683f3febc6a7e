from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from datastill.encoders import PretrainedPool
from datastill.errors import UserError
from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import ClassCentralization, Target, target_of
from datastill.terms.class_centralization import FORMS
from small_terms import between

# Class 0 about (1, 0): squared distances 1, 1. Class 1 about (0, 2): 4, 4.
EMBEDDING = torch.tensor([[[0.0, 0.0], [2.0, 0.0]], [[0.0, 0.0], [0.0, 4.0]]], dtype=torch.float64)


UNIT = {"spread": torch.ones(2, dtype=torch.float64)}


def embedded(embedding: Tensor, pixels: int = 0) -> Features:
    return Features(blocks=(), map=torch.empty(0), embedding=embedding, logits=torch.empty(0), pixels=pixels)


def spread(*values: float) -> Target:
    return {"spread": torch.tensor(values, dtype=torch.float64)}


def test_the_squared_form_by_hand() -> None:
    assert float(ClassCentralization(form="squared")({}, embedded(EMBEDDING))) == 10


@pytest.mark.parametrize(("alpha", "beta"), [(0.02, 0.5), (0.5, 0.0), (0.1, 1.3)])
def test_the_hinge_by_hand(alpha: float, beta: float) -> None:
    expected = sum(max(0.0, math.exp(alpha * distance) - beta) for distance in (1, 1, 4, 4))
    term = ClassCentralization(form="hinge", alpha=alpha, beta=beta)
    assert float(term({}, embedded(EMBEDDING))) == pytest.approx(expected, rel=1e-12)


def test_the_relative_form_by_hand() -> None:
    # distances of 1 and 4 in classes whose real images spread by 2 and 8: half of it in both; twelve values an image.
    term = ClassCentralization(alpha=0.5, beta=0.2)
    found = float(term(spread(2, 8), embedded(EMBEDDING, pixels=12)))
    assert found == pytest.approx(12 * 2 * (math.exp(0.25) - 0.2), rel=1e-12)


@pytest.mark.parametrize("factor", [1e-3, 0.5, 20.0])
def test_multiplying_the_embedding_by_a_constant_changes_neither_value_nor_gradient(factor: float) -> None:
    images = torch.randn(3, 4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    real = torch.randn(3, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def value_and_gradient(times: float) -> tuple[Tensor, Tensor]:
        value = between(ClassCentralization(), embedded(times * real), embedded(times * images.sin(), pixels=7))
        return value, torch.autograd.grad(value, images)[0]

    torch.testing.assert_close(value_and_gradient(factor), value_and_gradient(1.0))


def test_every_ipc_is_pulled_alike() -> None:
    few = torch.randn(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    many = few.repeat(1, 4, 1)
    term = ClassCentralization()
    assert float(term(UNIT, embedded(many, pixels=3))) == pytest.approx(float(term(UNIT, embedded(few, pixels=3))), rel=1e-12)


def test_far_away_the_pull_stays_what_it_is_at_the_bound() -> None:
    offsets = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)
    pulls = []
    for offset in offsets:
        squared = (3 + offset).clone().requires_grad_()
        half = squared.sqrt()
        value = ClassCentralization(alpha=1.0)(spread(1), embedded(torch.stack([half, -half])[None, :, None], pixels=1))
        pulls.append(float(torch.autograd.grad(value, squared)[0]))
    assert pulls == pytest.approx([math.exp(3)] * 3, rel=1e-9)


def test_a_class_whose_real_images_are_one_point_is_left_alone() -> None:
    embedding = EMBEDDING.clone().requires_grad_()
    value = ClassCentralization()(spread(0, 2), embedded(embedding, pixels=1))
    (gradient,) = torch.autograd.grad(value, embedding)
    assert math.isfinite(value.item())
    assert float(gradient[0].abs().max()) == 0
    assert float(gradient[1].abs().max()) > 0


@pytest.mark.parametrize("form", ["relative", "hinge"])
def test_inside_the_threshold_nothing_is_pulled(form: str) -> None:
    # exp(0.1 * 1) < 1.3 < exp(0.1 * 4): class 0 is left alone, class 1 is not.
    embedding = EMBEDDING.clone().requires_grad_()
    ClassCentralization(form=form, alpha=0.1, beta=1.3)(UNIT, embedded(embedding, pixels=1)).backward()  # type: ignore[no-untyped-call]  # torch's own
    assert embedding.grad is not None
    assert float(embedding.grad[0].abs().max()) == 0
    assert float(embedding.grad[1].abs().max()) > 0


def test_it_reads_the_pretrained_pool() -> None:
    assert ClassCentralization.encoder == "pretrained"
    assert ClassCentralization.brings == PretrainedPool("resnet18")


def test_below_one_the_threshold_changes_no_gradient() -> None:
    gradients = []
    for beta in (0.0, 0.5, 0.99):
        embedding = EMBEDDING.clone().requires_grad_()
        value = ClassCentralization(beta=beta)(UNIT, embedded(embedding, pixels=1))
        gradients.append(torch.autograd.grad(value, embedding)[0])
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(gradients[0], gradients[2])


def test_a_sample_of_real_images_is_asked_for_by_the_form_that_measures_in_its_spread() -> None:
    assert {form: ClassCentralization(form=form).source for form in FORMS} == {"relative": "sample", "hinge": "none", "squared": "none"}


def test_its_target_is_the_mean_squared_distance_of_real_images_from_their_centre() -> None:
    target = target_of(ClassCentralization(), embedded(EMBEDDING))
    assert target["spread"].tolist() == [1, 4]
    assert target["centre"].tolist() == [[1, 0], [0, 2]]
    assert target_of(ClassCentralization(), embedded(EMBEDDING[:, :1]))["spread"].tolist() == [0, 0]


@pytest.mark.parametrize(("ipc", "weight"), [(1, 0.05), (10, 0.05), (50, 0.003)])
def test_the_published_codes_form_has_its_weights(ipc: int, weight: float) -> None:
    code = ClassCentralization.suited(Setting("cifar10", 10, ipc, "code"))
    assert (code.weight, code.form) == (weight, "squared")


@pytest.mark.parametrize("preset", ["paper", "fast"])
def test_elsewhere_one_weight_serves_every_data_set_and_ipc(preset: str) -> None:
    found = {ClassCentralization.suited(Setting(data, 10, ipc, preset)) for data in ("digits", "cifar10", "folder") for ipc in (1, 10, 50)}
    assert len(found) == 1
    assert found.pop().form == "relative"


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(UserError, match=r"unknown form of class centralization 'cubed'.* Known: relative, hinge, squared"):
        ClassCentralization(form="cubed")


@pytest.mark.parametrize("alpha", [0.0, -1.0])
def test_an_alpha_that_does_not_pull_is_refused(alpha: float) -> None:
    with pytest.raises(UserError, match="alpha of class centralization must be above 0"):
        ClassCentralization(alpha=alpha)


@pytest.mark.parametrize(("read", "images", "share"), [(2, 2, 1.0), (2, 3, 0.5), (3, 8, 2 / 7), (8, 8, 1.0), (10, 40, 9 / 39)])
def test_some_of_the_images_are_nearer_to_their_own_centre(read: int, images: int, share: float) -> None:
    """Two of many images amount to a spread of one degree of freedom, of as many as there are images less one."""
    for form in ("hinge", "squared"):
        assert ClassCentralization(form=form).share(read, images) == pytest.approx(share)
    assert ClassCentralization().share(read, images) == pytest.approx(share * images / read)  # a mean, not a sum


@pytest.mark.parametrize("form", FORMS)
def test_a_single_image_is_refused(form: str) -> None:
    with pytest.raises(UserError, match="at least two images per class"):
        ClassCentralization(form=form)(spread(1, 1, 1), embedded(torch.zeros(3, 1, 4), pixels=1))


def test_features_without_the_units_of_the_relative_form_are_refused() -> None:
    with pytest.raises(UserError, match=r"needs the number of values of an image .* got none"):
        ClassCentralization()(spread(1, 1, 1), embedded(EMBEDDING))


def test_a_class_of_one_image_over_and_over_has_no_spread() -> None:
    one = torch.full((12, 4), 3.0) + 1e-6 * torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    several = torch.randn(12, 4, generator=torch.Generator().manual_seed(1))
    found = ClassCentralization().target(embedded(torch.stack([one, several])))["spread"]
    assert float(found[0]) == 0
    assert float(found[1]) > 1
