"""The laws that every public term keeps, in every form it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors
from datastill.networks import FIELDS, Features
from datastill.setting import Setting
from datastill.terms import (
    BUNDLES,
    TERMS,
    AttentionMatching,
    ClassCentralization,
    CovarianceMatching,
    CrossEntropy,
    Discrimination,
    Gathering,
    KernelMatching,
    LayerMatching,
    MeanMatching,
    Target,
    Term,
    target_of,
)
from datastill.terms.term import SOURCES
from small_terms import between

CLASSES, REAL, SYNTHETIC = 3, 5, 4
FORMS: dict[str, Term] = {
    "mm": MeanMatching(),
    "cm": CovarianceMatching(),
    "cc relative": ClassCentralization(alpha=0.5, beta=0.4),
    "cc hinge": ClassCentralization(form="hinge", alpha=0.05, beta=0.4),
    "cc squared": ClassCentralization(form="squared"),
    "ce": CrossEntropy(),
    "am power 4": AttentionMatching(power=4),
    "am power 1": AttentionMatching(power=1),
    "lm": LayerMatching(),
    "dl": Discrimination(),
    "km": KernelMatching(),
}
every = pytest.mark.parametrize("term", [pytest.param(term, id=name) for name, term in FORMS.items()])
taking = pytest.mark.parametrize("term", [pytest.param(term, id=name) for name, term in FORMS.items() if term.source != "none"])


def tensor(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def features(images: int, seed: int, classes: int = CLASSES) -> Features:
    return Features(
        blocks=(
            tensor(classes, images, 2, 4, 4, seed=seed),
            tensor(classes, images, 3, 2, 2, seed=seed + 1),
            tensor(classes, images, 2, 2, 1, seed=seed + 5),
        ),
        map=tensor(classes, images, 3, 2, 2, seed=seed + 2),
        embedding=tensor(classes, images, 6, seed=seed + 3),
        logits=tensor(classes, images, classes, seed=seed + 4),
        labels=torch.arange(classes),
        accuracy=0.8,
        pixels=5,
    )


def images_of(batch: Features, order: list[int]) -> Features:
    return batch.apply(lambda entry: entry[:, order])


def classes_of(batch: Features, order: list[int]) -> Features:
    return replace(batch.apply(lambda entry: entry[order]), labels=batch.labels[order])


def pair() -> tuple[Features, Features]:
    return features(REAL, seed=10), features(SYNTHETIC, seed=20)


def bottom(term: Term) -> float:
    """The least that a term can be on `SYNTHETIC` images of every class: 0, but for a hinge, which is open from the start."""
    images = {"hinge": SYNTHETIC, "relative": 5}
    if isinstance(term, ClassCentralization) and term.form in images:
        return CLASSES * images[term.form] * max(0.0, 1 - term.beta)
    return 0.0


def best(term: Term) -> tuple[Features, Features]:
    """Real and synthetic features that leave nothing to do: equal ones for a distance."""
    real, synthetic = pair()
    if isinstance(term, ClassCentralization):
        return real, synthetic.apply(lambda entry: entry[:, :1].expand_as(entry))
    sure = 50 * torch.eye(CLASSES, 6, dtype=torch.float64)[:, None]
    if isinstance(term, CrossEntropy):  # no distance: every image is taken for what it is
        return real, replace(synthetic, logits=sure[:, :, :CLASSES].expand(-1, SYNTHETIC, -1))
    if isinstance(term, Discrimination):  # no distance: every real image is far nearer to the centre of its own class
        return replace(real, embedding=sure.expand(-1, REAL, -1)), replace(synthetic, embedding=sure.expand(-1, SYNTHETIC, -1))
    return synthetic, synthetic


def value(term: Term, real: Features, synthetic: Features) -> float:
    result = between(term, real, synthetic)
    assert result.shape == ()
    return float(result)


def reading(term: Term, real: Features, synthetic: Features) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """The term as a function of the synthetic tensors that it reads, and those tensors."""
    names = [name for name in term.reads if name != "blocks"]
    inputs = [getattr(synthetic, name) for name in names] + (list(synthetic.blocks) if "blocks" in term.reads else [])

    def function(*tensors: Tensor) -> Tensor:
        read: dict[str, Any] = dict(zip(names, tensors, strict=False))
        return between(term, real, replace(synthetic, blocks=tuple(tensors[len(names) :]), **read))

    return function, tuple(entry.clone().requires_grad_() for entry in inputs)


def test_every_term_is_examined() -> None:
    assert {type(term) for term in FORMS.values()} == set(TERMS.values())
    assert {name: term.name for name, term in TERMS.items()} == {name: name for name in TERMS}
    assert {name for names in BUNDLES.values() for name in names} <= set(TERMS)


@every
def test_it_says_what_it_is(term: Term) -> None:
    assert term.summary
    assert "\n" not in term.summary
    assert term.reads
    assert set(term.reads) <= set(FIELDS)
    assert term.encoder in ("matching", "pretrained")
    assert term.weight > 0
    assert term.source in SOURCES
    assert term.least_real == 1 or term.source == "batch"
    term.check_target()
    assert isinstance(type(term).suited(Setting("cifar10", 10, 10)), type(term))


@every
def test_the_least_is_reached_where_nothing_is_left_to_do(term: Term) -> None:
    assert value(term, *best(term)) == pytest.approx(bottom(term), abs=1e-14)


@every
def test_it_is_above_its_least_everywhere_else(term: Term) -> None:
    for seed in range(5):
        assert value(term, features(REAL, seed=100 * seed), features(SYNTHETIC, seed=100 * seed + 50)) > bottom(term) + 1e-3


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


@every
def test_its_gradient_is_right(term: Term) -> None:
    function, inputs = reading(term, *pair())
    assert torch.autograd.gradcheck(function, inputs)
    gradients: tuple[Tensor | None, ...] = torch.autograd.grad(function(*inputs), inputs, allow_unused=True)
    if isinstance(term, AttentionMatching):  # it leaves the last block alone
        assert gradients[-1] is None
        gradients = gradients[:-1]
    for gradient in gradients:
        assert gradient is not None
        assert gradient.abs().amax(tuple(range(2, gradient.ndim))).min() > 0, "an image without a gradient"


@every
def test_real_images_twice_change_nothing_unless_it_adds_up_over_them(term: Term) -> None:
    real, synthetic = pair()
    twice = real.apply(lambda entry: torch.cat([entry, entry], 1))
    times = 2 if isinstance(term, Discrimination) else 1  # as in CAFE's published code: it grows with the real batch
    assert value(term, twice, synthetic) == pytest.approx(times * value(term, real, synthetic), rel=1e-12)


@every
def test_synthetic_images_twice_change_nothing_unless_it_adds_up_over_them(term: Term) -> None:
    real, synthetic = pair()
    twice = synthetic.apply(lambda entry: torch.cat([entry, entry], 1))
    times = 2 if isinstance(term, ClassCentralization) and term.form != "relative" else 1
    assert value(term, real, twice) == pytest.approx(times * value(term, real, synthetic), rel=1e-12)


@every
def test_all_images_are_all_of_it_and_fewer_no_more(term: Term) -> None:
    for images in range(term.least_images, 9):
        if images > 1:
            shares = [term.share(read, images) for read in range(term.least_images, images + 1)]
            assert shares == sorted(shares)
            assert 0 < shares[0] <= shares[-1] == 1


NEARLY_STRAIGHT = ClassCentralization(alpha=1e-9, beta=1.0)  # its exponential is, so that the mean over choices can be told


@pytest.mark.parametrize("term", [FORMS["cc squared"], NEARLY_STRAIGHT, FORMS["ce"]])
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


# Targets.


def gathered(term: Term, real: Features, sizes: list[int]) -> Target:
    gathering, begin = Gathering(term), 0
    for size in sizes:
        gathering.add(images_of(real, list(range(begin, begin + size))))
        begin += size
    return gathering.target()


@taking
@pytest.mark.parametrize("sizes", [[1, 4], [2, 3], [3, 1, 1], [1, 1, 1, 1, 1]])
def test_a_target_gathered_in_any_parts_is_that_of_the_whole(term: Term, sizes: list[int]) -> None:
    real, synthetic = pair()
    whole, parts = target_of(term, real), gathered(term, real, sizes)
    assert set(parts) == set(whole)
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-12, atol=1e-12)
    assert float(term(parts, synthetic)) == pytest.approx(value(term, real, synthetic), rel=1e-12)


@taking
def test_parts_agree_with_the_whole_in_32_bits_far_from_zero(term: Term) -> None:
    real = features(60, seed=3).apply(lambda entry: entry + 30)
    parts = gathered(term, real.apply(lambda entry: entry.float()), [7, 16, 1, 20, 16])
    for name, expected in target_of(term, real).items():
        torch.testing.assert_close(parts[name].double(), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@taking
def test_the_target_of_a_class_is_its_own(term: Term) -> None:
    real, order = features(REAL, seed=10), [2, 0]
    whole, some = target_of(term, real), target_of(term, classes_of(real, order))
    for name in whole:
        assert len(whole[name]) == CLASSES
        torch.testing.assert_close(some[name], whole[name][order], rtol=1e-12, atol=1e-12)


@taking
def test_a_target_has_no_graph_and_does_not_depend_on_the_weight(term: Term) -> None:
    real = features(REAL, seed=10).apply(lambda entry: entry.requires_grad_())
    target, other = gathered(term, real, [2, 3]), gathered(replace(term, weight=7.0), real, [2, 3])
    assert target
    for name in target:
        assert not target[name].requires_grad
        assert torch.equal(target[name], other[name])


@taking
def test_a_target_is_as_large_as_its_images_only_if_it_keeps_everything(term: Term) -> None:
    few, many = (sum(entry.numel() for entry in target_of(term, features(images, seed=10)).values()) for images in (REAL, 2 * REAL))
    assert many == (2 * few if term.everything else few)


@taking
def test_a_target_that_was_kept_and_read_back_has_the_same_bits(term: Term, tmp_path: Path) -> None:
    real, synthetic = pair()
    target = target_of(term, real)
    save_tensors(tmp_path / "kept.safetensors", target, {})
    read = load_tensors(tmp_path / "kept.safetensors")[0]
    assert set(read) == set(target)
    assert all(torch.equal(read[name], target[name]) for name in target)
    assert torch.equal(term(read, synthetic), term(target, synthetic))


@every
def test_a_term_that_takes_nothing_from_real_images_has_an_empty_target(term: Term) -> None:
    assert bool(term.target(features(REAL, seed=10))) or term.source == "none"
