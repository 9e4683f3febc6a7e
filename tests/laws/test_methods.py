"""The laws that every method keeps, alone and with the constraints."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from datastill.augment import expand
from datastill.data import DataSet
from datastill.encoders import GrowingNetwork
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors
from datastill.kinds.constrained import Constrained
from datastill.methods import METHODS, Method, method
from datastill.networks import NETWORKS
from datastill.runs.configuration import plain
from datastill.setting import BEST, FAST, PRESETS
from datastill.terms import BUNDLES, TERMS
from small_methods import POOL, brief, gradient, opened, quick, small
from small_methods import matching as matched

ADDED = ("", "+cc", "+cm", "+iid")
DECLARED = {base: method(base) for base in METHODS}
TAKING_TERMS = [base for base, declared in DECLARED.items() if declared.takes_terms]
CONSTRAINED = [base for base in TAKING_TERMS if isinstance(DECLARED[base], Constrained)]
every = pytest.mark.parametrize("base", METHODS)
every_of_terms = pytest.mark.parametrize("base", [base for base in TAKING_TERMS if base not in CONSTRAINED])
with_constraints = pytest.mark.parametrize("added", ADDED)

SOME_AT_TIMES = replace(POOL, every=2, most=3)
RUNS: dict[str, Method] = {
    **{base: quick(base) for base in METHODS},
    "idm of everything": small("idm+iid", "views=2", encoders={**small("idm").encoders, "pretrained": SOME_AT_TIMES}, averaging=0.7),
    "cafe of everything": small("cafe+iid", "views=2", "factor=2", "augment=yes", averaging=0.7, halve_at=(2, 4)),
    "kept dm": small("dm+iid", "views=2", "matching.count=2", "matching.targets=2", "matching.target_images=5"),
    "fast idm": small("idm+iid", preset="fast"),
    "averaged dsa": brief("dsa", averaging=0.7, network="convnet-bn"),
}


def changed(images: Tensor, before: Tensor) -> bool:
    """Whether every image has moved."""
    return bool(((images - before).flatten(2).abs().amax(2) > 0).all())


@every_of_terms
@with_constraints
def test_it_composes_by_name_and_takes_steps(tiny: DataSet, base: str, added: str) -> None:
    composed = small(base + added)
    terms = [term.name for term in matched(base).terms]
    assert composed.name == base + added
    assert [term.name for term in composed.terms] == [*terms, *(BUNDLES.get(added[1:], (added[1:],)) if added else ())]
    composed.check(tiny, 2)
    assert composed.cost(tiny, 2) > 0
    stepper = opened(composed, tiny)
    for iteration in range(2):
        before = stepper.images()
        figures = stepper.step(iteration)
        assert list(figures) == ["loss", *(term.name for term in sorted(composed.terms, key=lambda term: term.encoder))]
        assert all(math.isfinite(figure) for figure in figures.values())
        assert figures["loss"] == pytest.approx(sum(term.weight * figures[term.name] for term in composed.terms))
        assert changed(stepper.images(), before)
    assert stepper.images().shape == (3, 2, 3, 8, 8)
    assert stepper.factor == composed.factor


@every
def test_what_it_declares_is_what_a_run_does(tiny: DataSet, base: str) -> None:
    composed = quick(base)
    composed.check(tiny, 2)
    assert composed.cost(tiny, 2) >= 0
    assert composed.kind
    steps = composed.iterations(3)
    assert steps == (composed.steps or 3)
    one, other = (composed.open(tiny, Engine(), 2, 4) for _ in range(2))
    for iteration in range(steps):
        figures = one.step(iteration)
        assert figures == other.step(iteration)
        assert all(math.isfinite(figure) for figure in figures.values())
    images = one.images()
    assert (images.shape, images.dtype) == ((3, 2, 3, 8, 8), torch.float32)
    assert torch.equal(images, other.images())
    assert all(isinstance(value, Tensor) for value in one.state().values())


@every
def test_terms_are_taken_or_refused_in_one_line(base: str) -> None:
    if DECLARED[base].takes_terms:
        assert method(f"{base}+cc").name == f"{base}+cc"
    else:
        said = f"{base} is a method of {DECLARED[base].kind}, which takes no terms: leave out .cc, or add it to .*, such as dm"
        with pytest.raises(UserError, match=said):
            method(f"{base}+cc")


@every
def test_its_description_is_plain(base: str) -> None:
    described = plain(quick(base).describe())
    assert yaml.safe_load(yaml.safe_dump(described)) == described
    assert described["name"] == base
    assert described["kind"] == type(quick(base)).__name__


@every_of_terms
@with_constraints
def test_its_description_lists_its_terms(base: str, added: str) -> None:
    described = plain(small(base + added).describe())
    assert yaml.safe_load(yaml.safe_dump(described)) == described
    assert described["name"] == base + added
    assert set(described["terms"]) == {term.name for term in small(base + added).terms}


@every
def test_it_has_values_for_every_preset_and_a_line_for_the_list(base: str) -> None:
    assert METHODS[base].__doc__
    for preset in PRESETS:
        for data, ipc in (("cifar10", 1), ("cifar100", 10), ("tinyimagenet", 50), ("digits", 2)):
            assert method(base, data=data, ipc=ipc, preset=preset).name == base


@every_of_terms
def test_it_has_values_for_every_preset_with_the_constraints(base: str) -> None:
    for preset in PRESETS:
        for data, ipc in (("cifar10", 1), ("cifar100", 10), ("tinyimagenet", 50), ("digits", 2)):
            composed = matched(f"{base}+iid", data=data, ipc=ipc, preset=preset)
            assert {term.name for term in composed.terms} <= set(TERMS)
            assert (composed.averaging > 0) is (preset in (FAST, BEST))


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_continued_goes_on_to_the_same_bits(tiny: DataSet, tmp_path: Path, name: str) -> None:
    straight, total = RUNS[name].open(tiny, Engine(), 3, 5), RUNS[name].iterations(6)
    for iteration in range(total // 2):
        straight.step(iteration)
    save_tensors(tmp_path / "state.safetensors", straight.state(), {})
    continued = RUNS[name].open(tiny, Engine(), 3, 5)
    continued.step(0)  # what it did before does not matter
    continued.restore(load_tensors(tmp_path / "state.safetensors")[0])
    for iteration in range(total // 2, total):
        assert continued.step(iteration) == straight.step(iteration)
    assert torch.equal(continued.images(), straight.images())
    assert set(continued.state()) == set(straight.state())
    assert all(torch.equal(value, straight.state()[key]) for key, value in continued.state().items())


@pytest.mark.parametrize("base", [base for base in METHODS if DECLARED[base].kind != "selection"])
def test_images_that_have_left_the_range_of_real_ones_are_told_once(tiny: DataSet, caplog: pytest.LogCaptureFixture, base: str) -> None:
    composed = quick(base)
    bounded = getattr(composed, "pixels", "free") != "free"  # they cannot leave it
    stepper = composed.open(tiny, Engine(), 2, 0)
    with torch.no_grad():
        stepper.pixels.copy_(20.0 * torch.sign(stepper.pixels))  # type: ignore[attr-defined]
    for iteration in range(2):
        with contextlib.suppress(UserError):  # a loss that is not finite, with images like these
            stepper.step(iteration)
    told = [line for line in caplog.messages if "standard deviations from the mean of real images" in line]
    assert len(told) == (0 if bounded else 1)


@pytest.mark.parametrize("base", CONSTRAINED)
@pytest.mark.parametrize("added", ["+cc", "+cm", "+iid"])
def test_constraints_on_what_matches_no_features_are_bounded_and_resume_exactly(tiny: DataSet, base: str, added: str) -> None:
    named, bare = method(base + added), quick(base)
    assert isinstance(named, Constrained)
    assert isinstance(bare, Constrained)
    encoders = {"pretrained": POOL} if named.used() else {}
    whole = replace(bare, name=base + added, terms=named.terms, encoders=encoders)
    runs: dict[float | None, Constrained] = {balance: replace(whole, balance=balance) for balance in (1e-9, 1.0)}
    found = {}
    for balance, composed in {None: bare, **runs}.items():
        composed.check(tiny, 2)
        stepper = composed.open(tiny, Engine(), 2, 0)
        figures = stepper.step(0)
        found[balance] = stepper.images()
    assert set(figures) - {"rate"} == {"loss", "matching", *(term.name for term in named.terms)}
    torch.testing.assert_close(found[1e-9], found[None], rtol=0, atol=1e-5)
    assert not torch.equal(found[1.0], found[None])
    other = runs[1.0].open(tiny, Engine(), 2, 0)
    other.restore(stepper.state())
    assert other.step(1) == stepper.step(1)
    assert torch.equal(other.images(), stepper.images())
    with pytest.raises(UserError, match="needs at least 2 images per class, but IPC is 1"):
        runs[1.0].check(tiny, 1)


def test_the_runs_above_change_their_networks_on_the_way(tiny: DataSet) -> None:
    queue, growing = opened(small("idm"), tiny), opened(small("cafe"), tiny)
    lengths, histories = [], []
    for iteration in range(6):
        queue.step(iteration)
        growing.step(iteration)
        lengths.append(len({key.split(".")[0] for key in queue.state() if key.startswith("matching/")}))
        histories.append(len(growing.state()["matching/history"]))
    assert isinstance(small("cafe").encoders["matching"], GrowingNetwork)
    assert lengths == [3, 4, 4, 4, 4, 4]  # a push after iterations 1, 3 and 5, which drops the oldest
    assert histories == [1, 0, 1, 0, 1, 0]  # another network after every second iteration


@pytest.mark.parametrize("name", ["idm+iid", "m3d+iid", "datadam+iid", "datadam-bn+iid", "dm+iid of views", "cafe+iid"])
@pytest.mark.parametrize("chunk", [1, 16])
def test_class_chunks_change_nothing_but_what_couples_or_has_batch_norm_is_not_cut(
    tiny: DataSet, memory: Callable[..., None], name: str, chunk: int
) -> None:
    composed = small(name.removesuffix(" of views"), *(["views=4"] if "views" in name else []))
    whole = opened(composed, tiny)
    assert len(whole.chunks) == 1
    memory(images=chunk)
    parts = opened(composed, tiny)
    together = NETWORKS[composed.encoders["matching"].network].batchwise or any(term.couples for term in composed.terms)
    assert together is (name in ("cafe+iid", "datadam-bn+iid"))
    assert (len(parts.chunks) == 1) is (together or composed.sample(2) * 3 <= chunk)
    for iteration in range(2):
        assert parts.step(iteration) == pytest.approx(whole.step(iteration), rel=1e-4)
        torch.testing.assert_close(gradient(parts), gradient(whole), rtol=1e-3, atol=1e-4 * float(gradient(whole).abs().max()))
    torch.testing.assert_close(parts.images(), whole.images(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "asked"), [("idm", False), ("idm+iid", False), ("cafe", True), ("dm", False)])
def test_images_are_enlarged_between_the_steps_only_for_networks_that_are_trained_on_them(tiny: DataSet, name: str, asked: bool) -> None:
    shown: list[Tensor] = []
    stepper = opened(small(name), tiny)
    session = stepper.encoders["matching"]
    advance = session.advance

    def watched(iteration: int, synthetic: Callable[[], Tensor]) -> None:
        def show() -> Tensor:
            shown.append(synthetic())
            return shown[-1]

        advance(iteration, show)

    session.advance = watched  # type: ignore[method-assign]  # watched
    for iteration in range(2):
        shown.clear()
        stepper.step(iteration)
        # the second step of cafe finds that the network has settled: no image is shown to it any more
        assert len(shown) == (asked and iteration == 0)


def test_networks_are_trained_on_the_images_after_the_step_enlarged_not_augmented_and_without_gradients(tiny: DataSet) -> None:
    shown: list[Tensor] = []
    stepper = opened(small("cafe", "factor=2", "augment=yes"), tiny)
    session = stepper.encoders["matching"]

    def advance(iteration: int, synthetic: Callable[[], Tensor]) -> None:
        shown.append(synthetic())

    session.advance = advance  # type: ignore[method-assign]  # watched
    before = stepper.images()
    stepper.step(0)
    assert changed(stepper.images(), before)
    assert torch.equal(shown[0].flatten(0, 1), expand(stepper.images().flatten(0, 1), 2))
    assert shown[0].shape == (3, 8, 3, 8, 8)
    assert not shown[0].requires_grad
