from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from datastill import Term, UserError, random
from datastill.augment import DSA, families
from datastill.data import DataSet
from datastill.kinds.distribution_matching.stepper import MatchingStepper
from datastill.networks import Features, build
from datastill.terms import ClassCentralization, CovarianceMatching, MeanMatching, Target
from small_methods import POOL, gradient, opened, small, watched
from small_terms import Brightness

AUGMENTED = {"none": DSA(()), "dsa": DSA(families(flip=True)), "idc": DSA(("crop",), ("colour",), ("cutout",))}


@pytest.mark.parametrize("augmentation", AUGMENTED)
@pytest.mark.parametrize("iteration", [0, 6])
def test_a_step_of_dm_is_the_papers_loop_class_after_class(tiny: DataSet, augmentation: str, iteration: int) -> None:
    setting = "augment=no" if augmentation == "none" else f"augmentation={augmentation}"
    stepper = opened(small("dm", setting), tiny, ipc=3, seed=4)
    before = stepper.images()
    figures = stepper.step(iteration)

    pixels = before.clone().requires_grad_()
    network = build("convnet", channels=3, classes=3, size=(8, 8))
    network.reset(random.generator(4, iteration, "network"))
    dsa = AUGMENTED[augmentation]
    loss = torch.zeros(())
    for label in range(3):
        rows = torch.randperm(12, generator=random.generator(4, iteration, label, "real batch"))[:7] + 12 * label
        real = (tiny.train.images[rows].float() / 255 - torch.tensor(tiny.mean)[:, None, None]) / torch.tensor(tiny.std)[:, None, None]
        draw = dsa.draw([random.generator(4, iteration, label, "augmentation")])
        of_real = network(dsa(real[None], draw)[0]).embedding.detach()
        of_synthetic = network(dsa(pixels[label][None], draw)[0]).embedding
        loss = loss + ((of_real.mean(0) - of_synthetic.mean(0)) ** 2).sum()
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own

    assert pixels.grad is not None
    assert figures["loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert figures["mm"] == figures["loss"]
    torch.testing.assert_close(gradient(stepper), pixels.grad, rtol=1e-3, atol=1e-6 * float(pixels.grad.abs().max()))
    assert float(pixels.grad.abs().max()) > 0
    torch.testing.assert_close(stepper.images(), before - 1.0 * gradient(stepper))


def test_the_momentum_is_that_of_sgd(tiny: DataSet) -> None:
    stepper = opened(small("dm", momentum=0.5, learning_rate=0.1), tiny)
    expected, velocity = stepper.images(), torch.zeros(3, 2, 3, 8, 8)
    for iteration in range(3):
        stepper.step(iteration)
        velocity = 0.5 * velocity + gradient(stepper)
        expected = expected - 0.1 * velocity
        torch.testing.assert_close(stepper.images(), expected)


def test_averaging_gives_the_moving_average_and_leaves_the_steps_alone(tiny: DataSet) -> None:
    averaged, last = opened(small("dm", averaging=0.6), tiny), opened(small("dm"), tiny)
    expected = last.images()
    torch.testing.assert_close(averaged.images(), expected)
    for iteration, share in enumerate((1 / 2, 2 / 5, 2 / 5)):  # evenly at first, then a share of 1 - 0.6
        assert averaged.step(iteration) == last.step(iteration)
        expected = (1 - share) * expected + share * last.images()
        torch.testing.assert_close(averaged.images(), expected)
    assert not torch.allclose(averaged.images(), last.images(), atol=1e-4)


def test_the_loss_is_the_weighted_sum_of_the_terms(tiny: DataSet) -> None:
    composed = small("dm+iid")
    figures = opened(composed, tiny).step(0)
    assert set(figures) == {"loss", "mm", "cc", "cm"}
    assert figures["loss"] == pytest.approx(figures["mm"] + ClassCentralization().weight * figures["cc"] + 0.01 * figures["cm"], rel=1e-12)
    alone = opened(small("dm"), tiny).step(0)
    assert alone["mm"] == pytest.approx(figures["mm"], rel=1e-6)


def test_the_gradient_is_the_weighted_sum_of_the_terms_gradients(tiny: DataSet) -> None:
    found = {}
    for name in ("dm", "dm+cc", "dm+cm", "dm+iid"):
        stepper = opened(small(name), tiny)
        stepper.step(3)
        found[name] = gradient(stepper)
    expected = found["dm+cc"] + found["dm+cm"] - found["dm"]
    torch.testing.assert_close(found["dm+iid"], expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))
    four = opened(replace(small("dm+cm"), terms=(MeanMatching(), CovarianceMatching(weight=0.04))), tiny)
    four.step(3)
    alone = found["dm+cm"] - found["dm"]
    torch.testing.assert_close(gradient(four) - found["dm"], 4 * alone, rtol=1e-2, atol=1e-3 * float(alone.abs().max()))
    assert not torch.allclose(found["dm+cc"], found["dm"], rtol=1e-3)


def test_class_centralization_reads_the_pretrained_pool_on_the_augmented_images(tiny: DataSet) -> None:
    stepper = opened(small("dm+cc"), tiny, ipc=3)
    images = stepper.images()
    figures = stepper.step(2)
    network = stepper.encoders["pretrained"].network
    dsa = DSA(families(flip=True))
    draw = dsa.draw([random.generator(0, 2, label, "augmentation") for label in range(3)])
    expected = 0.0
    for label, embedding in enumerate([network(batch).embedding for batch in dsa(images, draw)]):
        real = network(tiny.normalise(tiny.train.gather(torch.arange(12 * label, 12 * label + 12)))).embedding
        spread = ((real - real.mean(0)) ** 2).sum(1).mean()
        for image in embedding:
            relative = (((image - embedding.mean(0)) ** 2).sum() / spread).item()
            expected += (math.exp(min(relative, 3)) * (1 + max(0, relative - 3)) - 0.5) / 3
    assert figures["cc"] == pytest.approx(3 * 8 * 8 * expected, rel=1e-4)


@pytest.mark.parametrize(("name", "term"), [("dm+cc", "cc"), ("dm+cm", "cm"), ("dm+iid", "cm")])
def test_no_weight_of_a_constraint_throws_the_images_away(tiny: DataSet, caplog: pytest.LogCaptureFixture, name: str, term: str) -> None:
    heavy = [small(name, f"{term}.weight=1000", f"balance={balance}") for balance in (1.0, 0.0)]
    plain, bounded, free = (opened(each, tiny, ipc=3) for each in (small("dm"), *heavy))
    for iteration in range(10):
        for stepper in (plain, bounded):
            stepper.step(iteration)
    assert farthest(bounded) < farthest(plain) + 1 < 5
    assert not [record for record in caplog.records if "standard deviations from" in record.getMessage()]
    with contextlib.suppress(UserError):  # a step that leaves nothing of an image ends the run
        for iteration in range(10):
            free.step(iteration)
    assert farthest(free) > 50


@pytest.mark.parametrize(("name", "term"), [("dm+cc", "cc"), ("dm+cm", "cm"), ("dm+iid", "cm")])
def test_a_constraint_without_bound_that_throws_images_away_is_named(
    tiny: DataSet, caplog: pytest.LogCaptureFixture, name: str, term: str
) -> None:
    weight = {"cc": 5, "cm": 1000}[term]
    free = opened(small(name, f"{term}.weight={weight}", "balance=0"), tiny, ipc=3)
    for iteration in range(3):
        free.step(iteration)
    told = [record.getMessage() for record in caplog.records if "standard deviations from" in record.getMessage()]
    assert len(told) == 1
    assert f"the term '{term}' pulls hardest: lower {term}.weight" in told[0]


def test_terms_added_are_looked_at_apart_only_where_a_step_is_large(tiny: DataSet) -> None:
    """A look costs a second pass; where added terms are within the bound it changes no bit."""
    looked, never = opened(small("dm+cm"), tiny), opened(small("dm+cm", "balance=0"), tiny)
    for iteration in range(3):
        assert looked.step(iteration) == never.step(iteration)
    assert torch.equal(looked.images(), never.images())


def test_what_is_read_of_another_network_needs_the_method_beside_it(tiny: DataSet) -> None:
    rare = small("dm+cc", "matching.every=2")
    with pytest.raises(UserError, match=r"must match at every iteration: use `matching.every=1`, or `balance=0`"):
        rare.check(tiny, 2)
    replace(rare, balance=0.0).check(tiny, 2)


@pytest.mark.parametrize(("every", "most", "times"), [(1, 0, 1), (3, 0, 3), (1, 2, 3), (3, 2, 9)])
def test_what_is_read_more_rarely_may_pull_as_much_in_all(tiny: DataSet, every: int, most: int, times: int) -> None:
    composed = small("dm+cc")
    rare = replace(composed, encoders={**composed.encoders, "pretrained": replace(POOL, every=every, most=most)})
    stepper = opened(replace(rare, balance=0.5), tiny, ipc=6)
    assert stepper._most("pretrained") == pytest.approx(0.5 * times)
    assert stepper._most("matching") == 0.5


def test_a_term_that_depends_on_no_image_pulls_none(tiny: DataSet) -> None:
    stepper, base = opened(small("dm") + Constant(), tiny), opened(small("dm"), tiny)
    assert stepper.step(0)["constant"] == 3
    base.step(0)
    assert torch.equal(gradient(stepper), gradient(base))


@dataclass(frozen=True)
class Constant(Term):
    """A term that is idle."""

    name = "constant"
    summary = "one for every class"
    reads = ("embedding",)
    encoder = "pretrained"
    source = "none"

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        return torch.full((), float(len(synthetic.labels)))


def farthest(stepper: MatchingStepper) -> float:
    return float(stepper.images().square().mean((2, 3, 4)).max().sqrt())


@pytest.mark.parametrize("chunk", [1, 3, 4])
def test_chunks_of_classes_give_what_all_classes_give(tiny: DataSet, memory: Callable[..., None], chunk: int) -> None:
    whole = opened(small("dm+iid"), tiny)
    assert len(whole.chunks) == 1
    memory(images=chunk)
    parts = opened(small("dm+iid"), tiny)
    assert [len(part) for part in parts.chunks] == ([2, 1] if chunk == 4 else [1, 1, 1])
    for iteration in range(2):
        expected, figures = whole.step(iteration), parts.step(iteration)
        assert figures == pytest.approx(expected, rel=1e-5)
        torch.testing.assert_close(gradient(parts), gradient(whole), rtol=1e-4, atol=1e-5 * float(gradient(whole).abs().max()))


def test_an_encoder_read_now_and_then_pulls_as_much_in_all(tiny: DataSet) -> None:
    composed = small("dm+cc")
    term = ClassCentralization()
    thrifty = replace(composed, encoders={**composed.encoders, "pretrained": replace(POOL, every=3)})
    found = {}
    for name, each in (("dm", small("dm")), ("dm+cc", composed), ("thrifty", thrifty)):
        for iteration in (0, 4):
            stepper = opened(each, tiny)
            figures = stepper.step(iteration)
            found[name, iteration] = gradient(stepper), figures
    pull = found["dm+cc", 0][0] - found["dm", 0][0]
    torch.testing.assert_close(found["thrifty", 0][0] - found["dm", 0][0], 3 * pull, rtol=1e-2, atol=1e-3 * float(pull.abs().max()))
    assert torch.equal(found["thrifty", 4][0], found["dm", 4][0])
    assert set(found["thrifty", 0][1]) == {"loss", "mm", "cc"}
    assert set(found["thrifty", 4][1]) == {"loss", "mm"}
    assert found["thrifty", 0][1]["loss"] == pytest.approx(
        found["dm", 0][1]["mm"] + 3 * term.weight * found["thrifty", 0][1]["cc"], rel=1e-6
    )
    data = tiny
    assert small("dm").cost(data, 2) < thrifty.cost(data, 2) < composed.cost(data, 2)


def test_real_images_are_encoded_once_for_all_terms_and_but_for_a_sample_not_at_all_where_none_takes_a_batch(tiny: DataSet) -> None:
    stepper = opened(small("dm+iid"), tiny)
    seen = {name: watched(session) for name, session in stepper.encoders.items()}
    stepper.step(0)
    assert {name: [use for _, _, use in each] for name, each in seen.items()} == {"matching": ["batch"], "pretrained": ["sample"] * 3}


def test_a_users_own_term_runs(tiny: DataSet) -> None:
    composed = small("dm") + Brightness()
    assert composed.name == "dm+bright"
    stepper, base = opened(composed, tiny), opened(small("dm"), tiny)
    figures = stepper.step(0)
    assert figures["bright"] > 0
    assert figures["loss"] == pytest.approx(base.step(0)["mm"] + 0.5 * figures["bright"], rel=1e-6)
    assert not torch.equal(gradient(stepper), gradient(base))
    described = composed.describe()["terms"]["bright"]
    assert described["class"].endswith("Brightness")
    assert (described["weight"], described["power"]) == (0.5, 2)


def test_a_state_restores_what_the_next_step_depends_on(tiny: DataSet) -> None:
    straight = opened(small("dm"), tiny)
    for iteration in range(3):
        straight.step(iteration)
    state = {name: value.clone() for name, value in straight.state().items()}
    straight.step(3)
    continued = opened(small("dm"), tiny)
    continued.restore(state)
    continued.step(3)
    assert torch.equal(continued.images(), straight.images())
    without = opened(small("dm"), tiny)
    without.restore({"pixels": state["pixels"], "momentum": torch.zeros_like(state["momentum"])})
    without.step(3)
    assert not torch.equal(without.images(), straight.images())


def test_a_loss_that_is_not_finite_stops_the_run(tiny: DataSet) -> None:
    stepper = opened(small("dm"), tiny)
    with torch.no_grad():
        stepper.pixels[0] = float("nan")
    with pytest.raises(
        UserError,
        match=r"the loss is not finite at iteration 8 \(mm nan\): lower a term's weight \(for cc also its alpha\), or the `learning_rate`",
    ):
        stepper.step(7)


def test_the_term_that_is_not_finite_is_named(tiny: DataSet) -> None:
    steep = small("dm") + ClassCentralization(form="hinge", alpha=1e6)  # exp overflows
    with pytest.raises(UserError, match=r"not finite at iteration 1 \(mm [\d.e+]+, cc inf\)"):
        opened(steep, tiny).step(0)
