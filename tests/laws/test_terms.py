"""The laws that every public term keeps, in every form it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.networks import FIELDS, Features
from datastill.setting import Setting
from datastill.terms import BUNDLES, TERMS, ClassCentralization, Term
from datastill.terms.term import SOURCES
from small_terms import between
from term_forms import CLASSES, FORMS, REAL, SYNTHETIC, Form, classes_of, features, images_of, pair, value

every = pytest.mark.parametrize("term", [pytest.param(form.term, id=name) for name, form in FORMS.items()])
forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def reading(term: Term, real: Features, synthetic: Features) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """The term as a function of the synthetic tensors that it reads, and those tensors."""
    names = [name for name in term.reads if name != "blocks"]
    inputs = [getattr(synthetic, name) for name in names] + (list(synthetic.blocks) if "blocks" in term.reads else [])

    def function(*tensors: Tensor) -> Tensor:
        read: dict[str, Any] = dict(zip(names, tensors, strict=False))
        return between(term, real, replace(synthetic, blocks=tuple(tensors[len(names) :]), **read))

    return function, tuple(entry.clone().requires_grad_() for entry in inputs)


def test_every_term_is_examined() -> None:
    assert {type(form.term) for form in FORMS.values()} == set(TERMS.values())
    assert {name: term.name for name, term in TERMS.items()} == {name: name for name in TERMS}
    assert {name for names in BUNDLES.values() for name in names} <= set(TERMS)


@every
def test_it_says_what_it_is(term: Term) -> None:
    assert term.summary
    assert "\n" not in term.summary
    assert term.reads
    assert set(term.reads) <= set(FIELDS)
    assert term.encoder in ("matching", "pretrained", "expert")
    assert term.weight > 0
    assert term.source in SOURCES
    assert term.least_real == 1 or term.source == "batch"
    term.check_target()
    assert isinstance(type(term).suited(Setting("cifar10", 10, 10)), type(term))


@forms
def test_the_least_is_reached_where_nothing_is_left_to_do(form: Form) -> None:
    assert value(form.term, *form.best(*pair())) == pytest.approx(form.least, abs=1e-14)


@forms
def test_it_is_above_its_least_everywhere_else(form: Form) -> None:
    for seed in range(5):
        assert value(form.term, features(REAL, seed=100 * seed), features(SYNTHETIC, seed=100 * seed + 50)) > form.least + 1e-3


@every
def test_the_order_of_images_does_not_matter(term: Term) -> None:
    real, synthetic = pair()
    shuffled = images_of(real, [3, 0, 4, 1, 2]), images_of(synthetic, [2, 3, 1, 0])
    assert value(term, *shuffled) == pytest.approx(value(term, real, synthetic), rel=1e-12)


@every
def test_the_order_of_classes_does_not_matter_but_their_pairing_does(term: Term) -> None:
    real, synthetic = pair()
    order = [2, 0, 1]
    assert value(term, classes_of(real, order), classes_of(synthetic, order)) == pytest.approx(value(term, real, synthetic), rel=1e-12)
    if term.source != "none":
        assert value(term, real, classes_of(synthetic, order)) != pytest.approx(value(term, real, synthetic), rel=1e-6)


@every
def test_the_whole_is_the_sum_over_its_classes_unless_it_couples_them(term: Term) -> None:
    real, synthetic = pair()
    single = [value(term, classes_of(real, [label]), classes_of(synthetic, [label])) for label in range(CLASSES)]
    assert (sum(single) == pytest.approx(value(term, real, synthetic), rel=1e-12)) is not term.couples


@forms
def test_its_gradient_is_right(form: Form) -> None:
    function, inputs = reading(form.term, *pair())
    assert torch.autograd.gradcheck(function, inputs)
    gradients: tuple[Tensor | None, ...] = torch.autograd.grad(function(*inputs), inputs, allow_unused=True)
    read = len(gradients) - form.idle
    assert all(gradient is None for gradient in gradients[read:])
    for gradient in gradients[:read]:
        assert gradient is not None
        assert gradient.abs().amax(tuple(range(2, gradient.ndim))).min() > 0, "an image without a gradient"


@forms
def test_real_images_twice_change_nothing_unless_it_adds_up_over_them(form: Form) -> None:
    real, synthetic = pair()
    twice = real.apply(lambda entry: torch.cat([entry, entry], 1))
    times = 2 if "real" in form.adds else 1
    assert value(form.term, twice, synthetic) == pytest.approx(times * value(form.term, real, synthetic), rel=1e-12)


@forms
def test_synthetic_images_twice_change_nothing_unless_it_adds_up_over_them(form: Form) -> None:
    real, synthetic = pair()
    twice = synthetic.apply(lambda entry: torch.cat([entry, entry], 1))
    times = 2 if "synthetic" in form.adds else 1
    assert value(form.term, real, twice) == pytest.approx(times * value(form.term, real, synthetic), rel=1e-12)


@every
def test_all_images_are_all_of_it_and_fewer_no_more(term: Term) -> None:
    for images in range(term.least_images, 9):
        if images > 1:
            shares = [term.share(read, images) for read in range(term.least_images, images + 1)]
            assert shares == sorted(shares)
            assert 0 < shares[0] <= shares[-1] == 1


NEARLY_STRAIGHT = ClassCentralization(alpha=1e-9, beta=1.0)  # its exponential is, so that the mean over choices can be told


@pytest.mark.parametrize("term", [FORMS["cc squared"].term, NEARLY_STRAIGHT, FORMS["ce"].term])
@pytest.mark.parametrize("read", [2, 3])
def test_its_share_is_what_is_left_on_average_over_every_choice_of_images(term: Term, read: int) -> None:
    real, synthetic = pair()
    choices = list(combinations(range(SYNTHETIC), read))
    mean = sum(value(term, real, images_of(synthetic, list(choice))) for choice in choices) / len(choices)
    assert mean == pytest.approx(term.share(read, SYNTHETIC) * value(term, real, synthetic), rel=1e-6)


@every
def test_a_network_that_knows_nothing_is_not_trusted(term: Term) -> None:
    real, synthetic = pair()
    expected = value(term, real, synthetic)
    untrained, half = (value(term, real, replace(synthetic, accuracy=accuracy)) for accuracy in (0.0, 0.4))
    assert (untrained, half) == ((0, pytest.approx(expected / 2)) if term.trusts else (expected, expected))


@every
def test_it_reads_what_it_says_and_nothing_else(term: Term) -> None:
    real, synthetic = pair()
    expected = value(term, real, synthetic)
    nothing = Features(blocks=(), map=torch.empty(0), embedding=torch.empty(0), logits=torch.empty(0))
    read = real.only(term.reads) if term.source != "none" else nothing
    assert value(term, read, synthetic.only(term.reads)) == expected
    for name in term.reads:  # every field that it says it reads makes a difference
        without = [field for field in FIELDS if field != name]
        other = features(SYNTHETIC, seed=70).only([name])
        kept = synthetic.only(without)
        mixed = replace(
            synthetic,
            blocks=other.blocks or kept.blocks,
            map=other.map if name == "map" else kept.map,
            embedding=other.embedding if name == "embedding" else kept.embedding,
            logits=other.logits if name == "logits" else kept.logits,
        )
        assert value(term, real, mixed) != pytest.approx(expected, rel=1e-6)


@every
def test_too_few_images_are_refused(term: Term) -> None:
    real = features(REAL, seed=10)
    least = term.least_images
    assert value(term, real, features(least, seed=20)) >= 0
    if least == 2:
        with pytest.raises(UserError, match=r"at least two images per class, got .*\(3, 1, "):
            between(term, real, features(1, seed=20))
    else:
        assert least == 1


@every
def test_too_few_real_images_are_refused(term: Term) -> None:
    synthetic = features(SYNTHETIC, seed=20)
    assert value(term, features(term.least_real, seed=10), synthetic) >= 0
    if term.least_real == 2:
        with pytest.raises(UserError, match=f"the term '{term.name}' needs at least 2 real images per class, got 1"):
            between(term, features(1, seed=10), synthetic)
    else:
        assert term.least_real == 1


def test_covariances_and_the_width_of_a_kernel_need_two_real_images() -> None:
    assert {name for name, term in TERMS.items() if term.least_real == 2} == {"cm", "km"}
