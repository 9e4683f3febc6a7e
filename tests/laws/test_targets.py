"""The laws of the targets that every public term takes from real images, in every form it has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datastill.files import load_tensors, save_tensors
from datastill.networks import Features
from datastill.terms import (
    Gathering,
    Target,
    Term,
    target_of,
)
from term_forms import CLASSES, FORMS, REAL, classes_of, features, images_of, pair, value

taking = pytest.mark.parametrize("term", [pytest.param(form.term, id=name) for name, form in FORMS.items() if form.term.source != "none"])


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


@pytest.mark.parametrize("term", [pytest.param(form.term, id=name) for name, form in FORMS.items()])
def test_a_term_that_takes_nothing_from_real_images_has_an_empty_target(term: Term) -> None:
    assert bool(term.target(features(REAL, seed=10))) or term.source == "none"
