from __future__ import annotations

import pytest
import torch

from datastill.data import DataSet
from datastill.engine import Engine, Runner
from datastill.engine.inference import predictions, share_correct
from datastill.networks import FIELDS, Network, build
from small_networks import close, made, picture

every = pytest.mark.parametrize("name", ["convnet", "convnet-bn"])


def seasoned(name: str) -> Network:
    """A network that has seen images in training, so that evaluation mode makes a difference where there is batch norm."""
    network = build(name, channels=3, classes=3, size=(8, 8))
    network.reset(torch.Generator().manual_seed(0))
    with torch.no_grad():
        network(3 * torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(1)) + 1)
    return network


@every
def test_images_are_classified_one_by_one_whatever_is_beside_them(tiny: DataSet, name: str) -> None:
    network = seasoned(name)
    before = {entry: value.clone() for entry, value in network.weights().items()}
    images = tiny.normalise(tiny.train.images)
    with torch.no_grad():
        expected = torch.stack([network.eval()(image[None]).logits[0].argmax() for image in images])
    network.train()
    runner = Runner(Engine(micro_batch=7), network, ("logits",))
    assert torch.equal(predictions(runner, tiny.train, tiny), expected)
    share = float((expected == tiny.train.labels).float().mean())
    assert share_correct(runner, images, tiny.train.labels) == pytest.approx(share)
    assert share_correct(runner, images, expected) == 1
    assert network.training
    assert all(torch.equal(value, before[entry]) for entry, value in network.weights().items())


def test_with_batch_norm_training_mode_would_see_other_things(tiny: DataSet) -> None:
    network, images = seasoned("convnet-bn"), tiny.normalise(tiny.train.images)
    network.freeze(torch.float32)
    trained, evaluated = network(images).logits, network.eval()(images).logits
    assert not torch.allclose(trained, evaluated, atol=0.01)


@pytest.mark.parametrize("count", [1, 4, 5, 7, 12])
def test_micro_batches_give_the_features_and_gradients_of_one_batch(count: int) -> None:
    network = made()
    network.freeze(torch.float32)
    images, weight = picture(count).requires_grad_(), picture(count, seed=1)[:, 0, 0, :1]
    expected = network(images)
    (gradient,) = torch.autograd.grad((expected.embedding * weight).square().sum() + expected.map.square().sum(), images)
    runner = Runner(Engine(micro_batch=4), network, FIELDS)
    found = runner(images)
    for name in FIELDS[1:]:
        close(getattr(found, name), getattr(expected, name))
    assert len(found.blocks) == len(expected.blocks) == 2
    for ours, theirs in zip(found.blocks, expected.blocks, strict=True):
        close(ours, theirs)
    (ours,) = torch.autograd.grad((found.embedding * weight).square().sum() + found.map.square().sum(), images)
    close(ours, gradient)


def test_a_ragged_batch_after_a_full_one_keeps_the_size_of_micro_batches() -> None:
    network = made()
    sizes: list[int] = []
    network.register_forward_pre_hook(lambda module, arguments: sizes.append(len(arguments[0])))
    runner = Runner(Engine(micro_batch=64), network, ("logits",))
    images = picture(10)
    with torch.no_grad():
        whole, part = runner(images).logits, runner(images[:3]).logits
    assert sizes == [10, 10]  # the second one padded: nothing is compiled twice
    assert part.shape == (3, 5)
    close(part, whole[:3])


def test_only_the_fields_asked_for_are_there() -> None:
    found = Runner(Engine(), made(), ("embedding",))(picture(2))
    assert found.embedding.shape == (2, 512)
    assert found.map.numel() == found.logits.numel() == 0
    assert found.blocks == ()


def test_features_are_in_32_bits_whatever_the_precision() -> None:
    network = made()
    network.freeze(torch.bfloat16)
    found = Runner(Engine(precision=torch.bfloat16), network, FIELDS)(picture(2))
    assert {found.map.dtype, found.embedding.dtype, found.logits.dtype, *(block.dtype for block in found.blocks)} == {torch.float32}


def test_a_runner_follows_its_networks_weights() -> None:
    network = made(seed=0)
    runner = Runner(Engine(), network, ("logits",))
    first = runner(picture(2)).logits
    network.reset(torch.Generator().manual_seed(1))
    close(runner(picture(2)).logits, made(seed=1)(picture(2)).logits)
    assert not torch.allclose(runner(picture(2)).logits, first)


def sizes_seen(network: Network) -> list[int]:
    """Grows by the number of images for every batch that goes through."""
    sizes: list[int] = []
    network.register_forward_pre_hook(lambda module, arguments: sizes.append(len(arguments[0])))
    return sizes


def test_a_batchwise_network_sees_all_images_together_and_no_others() -> None:
    network = made("convnet-bn")
    network.freeze(torch.float32)
    sizes = sizes_seen(network)
    runner = Runner(Engine(micro_batch=4), network, FIELDS)
    for count in (5, 2, 7, 4):  # more than a micro-batch holds, fewer, more than the call before, and never filled up with zeros
        images = picture(count, seed=count).requires_grad_()
        expected = network(images)
        (gradient,) = torch.autograd.grad(expected.embedding.square().mean(0).sum(), images)
        sizes.clear()
        found = runner(images)
        assert sizes == [count]
        for name in FIELDS[1:]:
            close(getattr(found, name), getattr(expected, name))
        close(found.blocks[0], expected.blocks[0])
        close(torch.autograd.grad(found.embedding.square().mean(0).sum(), images)[0], gradient)


def test_in_evaluation_a_batchwise_network_may_be_cut() -> None:
    network = made("convnet-bn")
    network.freeze(torch.float32)
    sizes = sizes_seen(network)
    runner = Runner(Engine(micro_batch=4), network.eval(), ("embedding",))
    found = runner(picture(7)).embedding
    assert sizes == [4, 4]
    close(found, network(picture(7)).embedding)
    network.train()  # from then on the images are normalised by one another again
    close(runner(picture(7)).embedding, network(picture(7)).embedding)
    assert not torch.allclose(found, runner(picture(7)).embedding, rtol=1e-2)
