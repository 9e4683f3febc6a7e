"""Which synthetic images terms see: the parts, the views, and some of all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from datastill import random
from datastill.augment import DSA, expand, families, pack
from datastill.data import ClassImages, DataSet
from datastill.encoders import FreshNetwork
from datastill.errors import UserError
from datastill.methods import DistributionMatching
from datastill.networks import Features, build
from datastill.terms import ClassCentralization, Target, Term
from small_methods import POOL, gradient, opened, small


@dataclass(frozen=True)
class Brightness(Term):
    """Adds up over images without mixing them, so that the gradient of an image does not depend on the others."""

    name = "bright"
    summary = "sum of activations"
    reads = ("embedding",)
    source = "none"

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        return synthetic.embedding.sum()

    def share(self, read: int, images: int) -> float:
        return read / images


@dataclass(frozen=True)
class Unadded(Brightness):
    """The same to a term that says it is a mean."""

    def share(self, read: int, images: int) -> float:
        return 1.0


def bright(term: Term, **encoder: Any) -> DistributionMatching:
    return DistributionMatching("bright", terms=(term,), encoders={"matching": FreshNetwork("convnet", **encoder)}, augment=False)


def pulls(composed: DistributionMatching, data: DataSet, iteration: int, ipc: int) -> Tensor:
    stepper = opened(composed, data, ipc)
    stepper.step(iteration)
    return gradient(stepper)


@pytest.mark.parametrize(("term", "weight"), [(Brightness(), 5 / 2), (Unadded(), 1.0)])
@pytest.mark.parametrize("every", [1, 3])
def test_some_of_the_images_weigh_as_much_as_all_by_the_terms_share(tiny: DataSet, term: Term, weight: float, every: int) -> None:
    counts = torch.zeros(3, 5, dtype=torch.int64)
    for iteration in range(0, 90, every):
        some = pulls(bright(term, most=2, every=every), tiny, iteration, ipc=5)
        chosen = some.flatten(2).abs().amax(2) > 0
        assert chosen.sum(1).tolist() == [2, 2, 2]
        counts += chosen
        if iteration < 9:
            whole = every * weight * pulls(bright(term), tiny, iteration, ipc=5)
            expected = torch.where(chosen[:, :, None, None, None], whole, 0.0)
            torch.testing.assert_close(some, expected, rtol=1e-4, atol=1e-5 * float(whole.abs().max()))
    draws = 90 // every
    # every image two times in five, in each class by draws of its own; five standard deviations
    assert float((counts - 0.4 * draws).abs().max()) < 5 * (0.24 * draws) ** 0.5
    assert len({tuple(row) for row in counts.tolist()}) == 3


@pytest.mark.long
def test_some_of_the_images_are_pulled_together_as_strongly_as_all_on_average(tiny: DataSet) -> None:
    """The squared form of class centralization: loss and gradient are unbiased, so that neither grows or falls with what is left out."""
    found = {}
    for most in (0, 2):
        pool = replace(POOL, count=1, most=most)
        term = ClassCentralization(form="squared", weight=1.0)
        composed = DistributionMatching("cc", (term,), {"pretrained": pool}, augment=False, momentum=0.0, learning_rate=1e-30)
        stepper = opened(composed, tiny, ipc=5)
        losses, gradients = [], []
        for iteration in range(400 if most else 1):
            losses.append(stepper.step(iteration)["loss"])
            gradients.append(gradient(stepper).flatten())
        found[most] = torch.tensor(losses), torch.stack(gradients)
    (loss, whole), (loss_of_some, pull_of_some) = found[0], found[2]
    for ratios in (loss_of_some / loss, pull_of_some @ whole[0] / whole[0].square().sum()):
        error = float(ratios.std()) / 400**0.5
        assert error < 0.02  # with the weight 5/2, of a sum over images, the mean would be 5/8
        assert float(ratios.mean()) == pytest.approx(1, abs=5 * error)


@pytest.mark.parametrize("most", [0, 5, 100])
def test_as_many_as_there_are_is_all(tiny: DataSet, most: int) -> None:
    some, whole = (pulls(composed, tiny, 1, ipc=5) for composed in (bright(Brightness(), most=most), bright(Brightness())))
    assert torch.equal(some, whole)


def test_the_loss_counts_what_is_left_out(tiny: DataSet) -> None:
    composed = small("idm+iid", encoders={**small("idm").encoders, "pretrained": replace(POOL, most=3, every=2)})
    figures = opened(composed, tiny).step(2)
    expected = (
        figures["mm"] + ClassCentralization().weight * 2 * (7 / 8) / (2 / 3) * figures["cc"] + 0.01 * figures["cm"] + 0.5 * figures["ce"]
    )
    assert figures["loss"] == pytest.approx(expected, rel=1e-6)
    assert composed.cost(tiny, 2) < small("idm+iid").cost(tiny, 2)


def test_fewer_than_a_term_needs_are_refused(tiny: DataSet) -> None:
    with pytest.raises(UserError, match=r"most must be at least 1, or 0 for all .* got -1"):
        replace(POOL, most=-1)
    short = small("dm+cc", encoders={**small("dm").encoders, "pretrained": replace(POOL, most=1)})
    with pytest.raises(UserError, match=r"'cc' needs at least 2 images per class, but its encoder reads 1: use `pretrained.most=2` or"):
        short.check(tiny, 5)


# Views.


@pytest.mark.parametrize("ipc", [1, 2])
def test_a_step_with_views_written_out(tiny: DataSet, ipc: int) -> None:
    stepper = opened(small("dm", "views=4"), tiny, ipc, seed=4)
    pixels = stepper.images().requires_grad_()
    figures = stepper.step(6)

    network = build("convnet", channels=3, classes=3, size=(8, 8))
    network.reset(random.generator(4, 6, "network"))
    dsa = DSA(families(flip=True))
    loss = torch.zeros(())
    for label in range(3):
        # a batch of 7 is filled up to 8, two real images for each of four draws
        rows = torch.randperm(12, generator=random.generator(4, 6, label, "real batch"))[:8] + 12 * label
        real = tiny.normalise(tiny.train.images[rows])
        draws = [dsa.draw([random.generator(4, 6, label, "augmentation", *view)]) for view in ((), (1,), (2,), (3,))]
        of_real = [network(dsa(real[None, 2 * view : 2 * view + 2], draw)[0]).embedding.detach() for view, draw in enumerate(draws)]
        of_synthetic = [network(dsa(pixels[None, label], draw)[0]).embedding for draw in draws]
        loss = loss + (torch.cat(of_real).mean(0) - torch.cat(of_synthetic).mean(0)).square().sum()
    (expected,) = torch.autograd.grad(loss, pixels)
    assert figures["mm"] == pytest.approx(loss.item(), rel=1e-4)
    torch.testing.assert_close(gradient(stepper), expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))


def test_constraints_at_one_image_a_class_work_with_views_and_say_so_without(tiny: DataSet) -> None:
    with pytest.raises(UserError, match=r"'cc' needs at least 2 images per class, but IPC is 1: .* \(`views=4`\)"):
        small("dm+iid").check(tiny, 1)
    found = {}
    for name in ("dm", "dm+cc", "dm+cm"):
        composed = small(name, "views=4")
        composed.check(tiny, 1)
        stepper = opened(composed, tiny, ipc=1)
        assert stepper.step(0)["loss"] > 0
        assert stepper.images().shape == (3, 1, 3, 8, 8)
        found[name] = gradient(stepper)
    for name in ("dm+cc", "dm+cm"):
        added = (found[name] - found["dm"]).flatten(1).abs().amax(1)
        assert bool((added > 1e-4 * found["dm"].abs().max()).all()), name


def test_views_are_counted_as_images(tiny: DataSet) -> None:
    composed = small("idm", "views=3")
    assert composed.sample(2) == 2 * 4 * 3
    stepper = opened(composed, tiny)
    assert stepper.real_batch == 9  # 7 filled up to the next multiple of 3
    assert [len(rows) for rows in stepper.chunks] == [3]
    assert small("dm", "views=4").cost(tiny, 2) > small("dm").cost(tiny, 2)


# Parts.


def test_initial_images_are_grids_of_distinct_real_ones(tiny: DataSet) -> None:
    images = opened(small("m3d"), tiny, ipc=3).images()
    assert images.shape == (3, 3, 3, 8, 8)
    real = tiny.normalise(tiny.train.images)
    for label in range(3):
        members = real[12 * label : 12 * label + 12]
        small_ones = torch.stack([pack(member.expand(4, -1, -1, -1), 2)[0, :, :4, :4] for member in members])
        cells = [image[:, top : top + 4, left : left + 4] for image in images[label] for top in (0, 4) for left in (0, 4)]
        found = [int((small_ones - cell).abs().amax((1, 2, 3)).argmin()) for cell in cells]
        assert sorted(found) == list(range(12))
        torch.testing.assert_close(torch.stack(cells), small_ones[found], rtol=1e-4, atol=1e-5)


def test_encoders_see_the_enlarged_parts(tiny: DataSet) -> None:
    stepper = opened(small("m3d", augment=False), tiny)
    seen: list[Tensor] = []
    session = stepper.encoders["matching"]
    synthetic = session.synthetic

    def watched(images: Tensor, labels: Tensor) -> Features:
        seen.append(images.detach())
        return synthetic(images, labels)

    session.synthetic = watched  # type: ignore[method-assign]  # watched
    before = stepper.images()
    stepper.step(0)
    assert torch.equal(seen[0].flatten(0, 1), expand(before.flatten(0, 1), 2))
    assert seen[0].shape == (3, 8, 3, 8, 8)


def test_a_factor_that_the_images_or_the_classes_do_not_bear_is_refused(tiny: DataSet) -> None:
    with pytest.raises(UserError, match=r"images of 8x8 pixels cannot be cut into 3x3 parts: .* so at most 2"):
        small("idm", "factor=3").check(tiny, 1)
    small("idm").check(tiny, 3)
    with pytest.raises(
        UserError,
        match="'left' has 12 training images, fewer than IPC 4 times 4 parts: use `initialisation=augmented`"
        " for changed copies of its images, `ipc=3` or less, or",
    ):
        small("idm").check(tiny, 4)
    small("idm", initialisation="noise").check(tiny, 4)
    three = replace(tiny, train=ClassImages(tiny.train.storage, torch.tensor([*range(15), *range(24, 36)]), (12, 3, 12)))
    with pytest.raises(
        UserError,
        match="'middle' has 3 training images, fewer than IPC 1 times 4 parts: use `initialisation=augmented`"
        " for changed copies of its images, or `initialisation=noise`",
    ):
        small("idm").check(three, 1)


@pytest.mark.parametrize("setting", ["factor=0", "views=0", "factor=-2"])
def test_numbers_below_one_are_refused(setting: str) -> None:
    with pytest.raises(UserError, match="needs a factor and a number of views of at least 1"):
        small("dm", setting)


def test_noise_is_not_packed(tiny: DataSet) -> None:
    images = opened(small("idm", initialisation="noise"), tiny, ipc=40).images()
    assert float(images.std()) == pytest.approx(1, abs=0.02)
