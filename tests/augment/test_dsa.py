from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from datastill.augment import AUGMENTATIONS, DSA, FAMILIES, Draw, families, matching, training
from datastill.augment.dsa import PARAMETERS
from datastill.errors import UserError
from datastill.random import generator
from small_networks import noise

every = pytest.mark.parametrize("family", FAMILIES)


def numbers(images: int, seed: int = 0) -> Tensor:
    return torch.rand(images, PARAMETERS, generator=torch.Generator().manual_seed(seed))


def drawn(dsa: DSA, labels: list[int], images: int = 1) -> Draw:
    return dsa.draw([generator(0, label, "augmentation") for label in labels], images)


def test_the_families_of_the_paper() -> None:
    assert set(FAMILIES) == {"colour", "crop", "cutout", "flip", "scale", "rotate"}
    assert set(DSA().families) == set(FAMILIES)


@every
def test_a_siamese_draw_does_the_same_to_any_number_of_images(family: str) -> None:
    dsa = DSA((family,))
    image = noise(1, 1, 3, 16, 16)
    for seed in range(6):
        draw = dsa.draw([generator(seed)])
        one, five = dsa(image, draw), dsa(image.expand(1, 5, 3, 16, 16), draw)
        assert five.shape == (1, 5, 3, 16, 16)
        assert torch.equal(five, one.expand_as(five))
        assert torch.equal(dsa(image, draw), one)


def test_a_class_is_augmented_alike_whichever_classes_come_with_it() -> None:
    dsa = DSA()
    labels = list(range(12))
    images = noise(12, 3, 3, 16, 16)
    draw = drawn(dsa, labels)
    assert len(set(draw.families)) >= 4
    assert sorted(draw.families) != list(draw.families), "the families came in order: the order of classes was not tested"
    whole = dsa(images, draw)
    for part in (labels[:5], labels[5:], [7], [3, 11]):
        split = drawn(dsa, part)
        assert split.families == tuple(draw.families[label] for label in part)
        assert torch.equal(dsa(images[part], split), whole[part])


@every
def test_every_image_gets_a_gradient_and_the_right_one(family: str) -> None:
    images = noise(2, 2, 4, 5).double().requires_grad_()
    parameters = numbers(2, seed=4).double()
    assert torch.autograd.gradcheck(lambda batch: FAMILIES[family](batch, parameters), (images,))
    (gradient,) = torch.autograd.grad(FAMILIES[family](images, parameters).square().sum(), images)
    assert (gradient.flatten(1).abs().sum(1) > 0).all()


def test_gradients_flow_through_a_batch_of_many_families() -> None:
    dsa = DSA()
    images = noise(12, 2, 3, 16, 16).requires_grad_()
    draw = drawn(dsa, list(range(12)))
    (gradient,) = torch.autograd.grad(dsa(images, draw).square().sum(), images)
    assert (gradient.flatten(2).abs().sum(2) > 0).all()


@every
def test_images_may_have_parameters_of_their_own(family: str) -> None:
    image = noise(3, 16, 16)
    batch = DSA((family,)).batch(image.expand(32, 3, 16, 16), generator(1))
    distinct = len({tuple(entry.flatten().tolist()) for entry in batch})
    # A mirror has two outcomes, a shift by up to two pixels 25.
    assert distinct == 2 if family == "flip" else distinct > (12 if family == "crop" else 28)


def test_a_batch_for_evaluation_has_one_family() -> None:
    image = noise(3, 16, 16)
    dsa = DSA(("flip", "cutout"))
    for seed in range(8):
        batch = dsa.batch(image.expand(64, 3, 16, 16), generator(seed))
        mirrored = sum(torch.equal(entry, image.flip(2)) for entry in batch)
        cut = sum(bool((entry == 0).any()) for entry in batch)
        assert mirrored == 0 or cut == 0
        assert mirrored > 0 or cut > 0


def test_digits_are_not_mirrored() -> None:
    assert "flip" in families(flip=True)
    assert "flip" not in families(flip=False)
    assert set(families(flip=True)) - set(families(flip=False)) == {"flip"}
    draw = drawn(DSA(families(flip=False)), list(range(200)))
    assert set(draw.families) == set(FAMILIES) - {"flip"}


def test_families_come_equally_often() -> None:
    counts = Counter(drawn(DSA(), list(range(3000))).families)
    assert set(counts) == set(FAMILIES)
    # 500 each, standard deviation 20
    assert max(abs(count - 500) for count in counts.values()) < 100


def test_an_unknown_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"unknown augmentation family 'color'. Did you mean 'colour'"):
        DSA(("crop", "color"))


def test_no_families_leave_images_as_they_are() -> None:
    images = noise(4, 3, 3, 8, 8)
    dsa = DSA(())
    assert torch.equal(dsa(images, drawn(dsa, [0, 1, 2, 3])), images)
    assert torch.equal(dsa.batch(images[0], generator(0)), images[0])


def test_uniform_numbers_are_drawn_from_zero_to_one() -> None:
    uniforms = drawn(DSA(), list(range(2000))).uniforms
    assert uniforms.shape == (2000, 1, PARAMETERS)
    assert 0 <= float(uniforms.min()) < 0.01
    assert 0.99 < float(uniforms.max()) < 1
    assert (uniforms.mean((0, 1)) - 0.5).abs().max() < 0.03


ALWAYS = DSA(("crop", "rotate"), before=("flip", "colour"), after=("cutout",))


def test_what_is_always_applied_comes_before_and_after_the_drawn_family() -> None:
    images = noise(2, 4, 3, 16, 16)
    draw = drawn(ALWAYS, [0, 1], 4)
    assert draw.uniforms.shape == (2, 4, 4 * PARAMETERS)
    own, flip, colour, cutout = torch.split(draw.uniforms.flatten(0, 1), PARAMETERS, 1)
    expected = torch.unflatten(FAMILIES["colour"](FAMILIES["flip"](images.flatten(0, 1), flip), colour), 0, (2, 4))
    expected = torch.stack(
        [FAMILIES[name](each, own[4 * row : 4 * row + 4]) for row, (name, each) in enumerate(zip(draw.families, expected, strict=True))]
    )
    assert torch.equal(ALWAYS(images, draw), torch.unflatten(FAMILIES["cutout"](expected.flatten(0, 1), cutout), 0, (2, 4)))


def test_families_that_are_always_applied_have_draws_of_their_own() -> None:
    uniforms = drawn(ALWAYS, [0], 3).uniforms
    assert len(set(uniforms.flatten().tolist())) == uniforms.numel()


def test_a_siamese_draw_of_several_families_does_the_same_to_any_number_of_images() -> None:
    draw, image = drawn(ALWAYS, [3]), noise(1, 1, 3, 16, 16)
    five = ALWAYS(image.expand(1, 5, 3, 16, 16), draw)
    assert torch.equal(five, ALWAYS(image, draw).expand_as(five))
    assert not torch.equal(five[:, :1], image)


def test_one_family_alone_can_always_be_applied() -> None:
    images, mirror = noise(1, 64, 3, 8, 8), DSA((), before=("flip",))
    seen = mirror(images, drawn(mirror, [0], 64))
    kinds = Counter(
        "same" if torch.equal(a, b) else "mirrored" if torch.equal(a, b.flip(2)) else "other"
        for a, b in zip(seen[0], images[0], strict=True)
    )
    assert set(kinds) == {"same", "mirrored"}


@pytest.mark.parametrize("flip", [True, False])
def test_the_families_of_idc(flip: bool) -> None:
    """Its code matches with colour, crop and cutout together, and trains with all but cutout, as cutmix takes its place."""
    assert matching("idc", flip=flip) == DSA(("crop",), ("colour",), ("cutout",))
    mirror = ("flip",) if flip else ()
    assert training("idc", flip=flip, cutout=False) == DSA(("crop", "scale", "rotate"), (*mirror, "colour"))
    assert training("idc", flip=flip).after == ("cutout",)


@pytest.mark.parametrize("flip", [True, False])
def test_dsa_draws_one_of_all_families(flip: bool) -> None:
    assert matching("dsa", flip=flip) == training("dsa", flip=flip) == DSA(families(flip=flip))
    assert set(families(flip=flip)) - set(training("dsa", flip=flip, cutout=False).families) == {"cutout"}


@pytest.mark.parametrize("of", [matching, training])
def test_an_unknown_augmentation_is_refused(of: Callable[..., DSA]) -> None:
    with pytest.raises(UserError, match=r"unknown augmentation 'simclr'.*dsa, idc"):
        of("simclr", flip=True)
    assert of("idc", flip=True, augment=False) == DSA(())
    assert AUGMENTATIONS == ("dsa", "idc")
