"""Where targets come from: the real images of a step in parts, or a fixed sample, once a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from datastill import Term, UserError
from datastill.data import ClassImages, DataSet
from datastill.encoders import FreshNetwork, Session
from datastill.kinds.distribution_matching import MatchingStepper
from datastill.methods import DistributionMatching
from datastill.networks import Features
from datastill.terms import ClassCentralization, CovarianceMatching, MeanMatching, Target
from small_methods import POOL, gradient, opened, small, watched

POOLS = {"pool": POOL, "fresh": FreshNetwork("convnet"), "fixed": FreshNetwork("convnet", count=2)}


def centralized(encoder: Any, **changes: Any) -> DistributionMatching:
    return DistributionMatching("cc", (ClassCentralization(),), {"pretrained": encoder}, **changes)


def by_hand(session: Session, data: DataSet, label: int) -> Tensor:
    """The spread of all images of a class: there are fewer than the sample would have."""
    rows = torch.arange(data.train.counts[label]) + data.train.offsets[label]
    with torch.no_grad():
        embedding: Tensor = session.network(data.normalise(data.train.gather(rows))).embedding
    return (embedding - embedding.mean(0)).square().sum(1).mean()


def spread(stepper: MatchingStepper, classes: list[int]) -> Tensor:
    draw = stepper.augmentation.draw([torch.Generator() for _ in classes])
    return stepper.targets.of(0, classes, ["pretrained"], draw, [])["cc"]["spread"]


@pytest.mark.parametrize("name", POOLS)
def test_a_sample_is_of_real_images_that_are_not_augmented(tiny: DataSet, name: str) -> None:
    stepper = opened(centralized(POOLS[name]), tiny)
    session = stepper.encoders["pretrained"]
    for iteration in range(3):
        session.begin(iteration)
        expected = torch.stack([by_hand(session, tiny, label) for label in range(3)])
        torch.testing.assert_close(spread(stepper, [0, 1, 2]), expected, rtol=1e-4, atol=0)
        torch.testing.assert_close(spread(stepper, [2, 0]), expected[[2, 0]], rtol=1e-4, atol=0)


@pytest.mark.parametrize(("name", "times"), [("pool", 2), ("fixed", 2), ("fresh", 8)])
def test_networks_that_come_again_see_it_once(tiny: DataSet, name: str, times: int) -> None:
    stepper = opened(centralized(POOLS[name]), tiny)
    seen = watched(stepper.encoders["pretrained"])
    for iteration in range(8):
        stepper.step(iteration)
    assert torch.cat([labels for _, labels, _ in seen]).tolist() == [0, 1, 2] * times


def test_a_sample_of_a_large_class_is_near_to_the_whole_and_the_same_in_every_run(tiny: DataSet) -> None:
    rows = torch.cat([torch.arange(12 * label, 12 * label + 12).repeat(20) for label in range(3)])
    large = replace(tiny, train=ClassImages(tiny.train.storage, rows, (240,) * 3))
    found = []
    for seed in (0, 1):
        stepper = opened(centralized(replace(POOL, count=1)), large, seed=seed)
        stepper.encoders["pretrained"].begin(0)
        found.append(spread(stepper, [0, 1, 2]))
    assert torch.equal(found[0], found[1])
    expected = torch.stack([by_hand(stepper.encoders["pretrained"], large, label) for label in range(3)])
    torch.testing.assert_close(found[0], expected, rtol=0.2, atol=0)


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_without_two_images_has_no_spread(tiny: DataSet, count: int) -> None:
    rows = torch.cat([torch.arange(12), torch.arange(12, 12 + count), torch.arange(24, 36)])
    short = replace(tiny, train=ClassImages(tiny.train.storage, rows, (12, count, 12)))
    stepper = opened(centralized(FreshNetwork("convnet"), initialisation="noise"), short)
    stepper.encoders["pretrained"].begin(0)
    found = spread(stepper, [0, 1, 2])
    assert float(found[1]) == 0
    assert float(found[[0, 2]].min()) > 0


# Parts of the real images.


@pytest.mark.parametrize("name", ["dm+cm", "datadam", "cafe", "m3d", "dm+cm of views"])
@pytest.mark.parametrize("images", [3, 6])
def test_real_images_in_parts_give_what_all_of_them_give(tiny: DataSet, memory: Callable[..., None], name: str, images: int) -> None:
    composed = small(name.removesuffix(" of views"), *(["views=2"] if "views" in name else []))
    whole = opened(composed, tiny)
    values = max(3 * 8 * 8, *(session.values for session in whole.encoders.values()))
    memory(size=4 * values * images)
    parts = opened(composed, tiny)
    seen = watched(parts.encoders["matching"])
    for iteration in range(2):
        seen.clear()
        assert parts.step(iteration) == pytest.approx(whole.step(iteration), rel=1e-4)
        sizes = [len(part.flatten(0, 1)) for part, _, _ in seen]
        assert sum(sizes) == 3 * parts.real_batch
        assert max(sizes) <= images
        scale = float(gradient(whole).abs().max())
        torch.testing.assert_close(gradient(parts), gradient(whole), rtol=1e-3, atol=1e-4 * scale)


def test_images_that_are_normalised_by_one_another_stay_together(tiny: DataSet, memory: Callable[..., None]) -> None:
    memory(size=1)
    stepper = opened(small("datadam-bn"), tiny)
    assert len(list(stepper.batches.draw(0, [0, 1, 2]))) == 1


# Terms that are not written as they should be.


@dataclass(frozen=True)
class Old(Term):
    """Written as terms were before targets."""

    name = "old"
    summary = "mean matching"
    reads = ("embedding",)

    def __call__(self, real: Features, synthetic: Features) -> Tensor:  # type: ignore[override]  # the mistake
        return (real.embedding.mean(1) - synthetic.embedding.mean(1)).square().sum()


@dataclass(frozen=True)
class Elsewhere(MeanMatching):
    """Takes its target from a place that there is not."""

    name = "elsewhere"
    source = "validation"


@dataclass(frozen=True)
class Bare(MeanMatching):
    """Gives a tensor without a name."""

    name = "bare"

    def target(self, real: Features) -> Target:
        return real.embedding.mean(1)  # type: ignore[return-value]  # the mistake


@dataclass(frozen=True)
class Summed(MeanMatching):
    """Sums over classes too early."""

    name = "summed"

    def target(self, real: Features) -> Target:
        return {"mean": real.embedding.mean((0, 1))}


def test_a_term_written_the_old_way_is_told_what_to_do() -> None:
    with pytest.raises(
        UserError, match=r"the term 'old' has no `target`: .* `target\(real\)`, .* set `source = \"none\"` \(once `compares"
    ):
        small("dm") + Old()
    with pytest.raises(UserError, match="the source of the term 'elsewhere' must be batch, sample or none, got 'validation'"):
        small("dm") + Elsewhere()


def test_a_target_that_is_none_is_refused(tiny: DataSet) -> None:
    with pytest.raises(UserError, match="the target of the term 'bare' must be a dictionary of tensors, got a Tensor"):
        opened(small("dm") + Bare(), tiny).step(0)
    with pytest.raises(
        UserError, match=r"'mean' of the term 'summed' must begin with the class axis, of 3 here, but has the shape \(512,\)"
    ):
        opened(small("dm") + Summed(), tiny).step(0)


def test_a_term_that_takes_a_sample_in_the_matching_network_runs_beside_one_that_takes_the_batch(tiny: DataSet) -> None:
    @dataclass(frozen=True)
    class Sampled(CovarianceMatching):
        name = "sampled"
        source = "sample"

    figures = opened(small("dm") + Sampled(), tiny).step(0)
    assert figures["sampled"] > 0
