"""The laws that every network of the zoo keeps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from datastill.errors import UserError
from datastill.networks import NETWORKS, Size, build
from datastill.networks.layers import BatchNorm, Convolution, InstanceNorm
from plain_networks import batch, made, reference

CASES: list[tuple[int, Size]] = [(1, (8, 8)), (1, (28, 28)), (3, (32, 32)), (3, (64, 64)), (3, (32, 48))]
every = pytest.mark.parametrize("name", NETWORKS)


def last_map(name: str, size: Size) -> tuple[int, int, int]:
    """Channels, height and width of the last map as the papers' tables give them, for the sizes of `CASES`."""
    padded = (32, 32) if size == (28, 28) else size
    height, width = padded
    if name.startswith("convnet"):
        return {8: (128, 2, 2), 32: (128, 4, 4 * width // height), 64: (128, 4, 4)}[height]
    if name == "alexnet":
        return {8: (192, 2, 2), 32: (192, 4, 4 * width // height), 64: (192, 8, 8)}[height]
    if name == "vgg11":
        return {8: (512, 1, 1), 32: (512, 1, 1), 64: (512, 2, 2)}[height]
    return {8: (512, 2, 2), 32: (512, 4, 4 * width // height), 64: (512, 8, 8)}[height]


@every
@pytest.mark.parametrize(("channels", "size"), CASES)
def test_fields_have_the_shapes_of_the_zoo_and_are_alive(name: str, channels: int, size: Size) -> None:
    with torch.no_grad():
        features = made(name, channels, size)(batch(4, channels, size))
    depth, height, width = last_map(name, size)
    assert features.map.shape == (4, depth, height, width)
    assert features.embedding.shape == (4, 512 if name == "resnet18" else depth * height * width)
    assert features.logits.shape == (4, 10)
    convnet = {8: 2, 64: 4}.get(size[0], 3)
    assert len(features.blocks) == {"convnet": convnet, "convnet-bn": convnet, "alexnet": 5, "vgg11": 8, "resnet18": 4}[name]
    for tensor in (*features.blocks, features.map, features.embedding, features.logits):
        assert bool(tensor.isfinite().all())
        assert bool((tensor.var(0).flatten() > 0).any())
    assert all(bool((block >= 0).all()) for block in features.blocks)
    assert float((features.embedding.var(0) > 0).float().mean()) > 0.1


@every
def test_weights_are_a_function_of_the_generator(name: str) -> None:
    one, two, three = made(name, seed=5), made(name, seed=5), made(name, seed=6)
    assert set(one.weights()) == set(one.state_dict())
    for key, first in one.weights().items():
        assert torch.equal(first, two.weights()[key]), key
    assert not torch.equal(next(one.parameters()), next(three.parameters()))
    with torch.no_grad():
        one.train()(batch(4))  # what it saw in training is forgotten
    one.reset(torch.Generator().manual_seed(6))
    assert all(torch.equal(first, three.weights()[key]) for key, first in one.weights().items())


@every
def test_a_network_takes_over_all_that_another_one_is(name: str) -> None:
    one, other = made(name, seed=5), made(name, seed=6)
    with torch.no_grad():
        one.train()(batch(4) + 1)
    other.take({**one.weights(), "something else": torch.zeros(1)})
    with torch.no_grad():
        assert torch.equal(other.eval()(batch(2)).logits, one.eval()(batch(2)).logits)


@every
def test_weights_are_uniform_within_the_fan_in(name: str) -> None:
    for module in made(name).modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = (module.weight.numel() / len(module.weight)) ** -0.5
            assert float(module.weight.detach().abs().max()) <= bound
            assert float(module.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.05)
        elif isinstance(module, InstanceNorm | BatchNorm):
            assert bool((module.weight == 1).all())
            assert bool((module.bias == 0).all())


@every
def test_the_zoo_is_the_plain_torch_network(name: str) -> None:
    """Against the layers written out with torch's own modules, instance norm as a group norm with one channel a group."""
    network = made(name)
    images = batch(2)
    with torch.no_grad():
        torch.testing.assert_close(network(images).logits, reference(name, network).eval()(images), atol=1e-4, rtol=1e-4)


@every
@pytest.mark.parametrize("channels", [1, 3])
def test_28x28_is_padded_to_32x32_with_zeros(name: str, channels: int) -> None:
    network = made(name, channels, (28, 28))
    images = batch(2, channels, (28, 28))
    padded = torch.zeros(2, channels, 32, 32)
    padded[:, :, 2:30, 2:30] = images
    with torch.no_grad():
        assert torch.equal(network(images).logits, network(padded).logits)


@every
def test_images_do_not_see_each_other(name: str) -> None:
    network, images = made(name), batch(4)
    with torch.no_grad():
        together, alone = network(images).embedding, network(images[2:3]).embedding
    torch.testing.assert_close(together[2:3], alone, atol=1e-5, rtol=1e-4)


@every
def test_batchwise_says_whether_images_see_each_other_in_training(name: str) -> None:
    network, images = made(name).train(), batch(4)
    with torch.no_grad():
        together, alone = network(images).embedding, network(images[2:3]).embedding
    assert torch.allclose(together[2:3], alone, atol=1e-5, rtol=1e-4) != network.batchwise


@every
def test_pixels_get_gradients_through_a_frozen_network(name: str) -> None:
    network = made(name)
    network.freeze(torch.float32)
    images = batch(2).requires_grad_()
    network(images).embedding.square().sum().backward()
    assert images.grad is not None
    assert bool((images.grad.flatten(1).abs().sum(1) > 0).all())
    assert all(parameter.grad is None for parameter in network.parameters())


@every
def test_freezing_in_bfloat16_keeps_the_features_near_and_the_logits_in_32_bits(name: str) -> None:
    network, images = made(name), batch(2)
    with torch.no_grad():
        exact = network(images)
        network.freeze(torch.bfloat16)
        rough = network(images.bfloat16())
    assert all(module.weight.dtype == torch.bfloat16 for module in network.modules() if isinstance(module, Convolution))
    assert all(module.weight.dtype == torch.float32 for module in network.modules() if isinstance(module, InstanceNorm | BatchNorm))
    assert rough.logits.dtype == torch.float32
    error = (rough.embedding.float() - exact.embedding).norm() / exact.embedding.norm()
    assert 0 < float(error) < 0.05


@every
@pytest.mark.parametrize(("channels", "classes", "size"), [(2, 10, (32, 32)), (3, 0, (32, 32)), (3, 10, (3, 32)), (3, 10, (32, 2))])
def test_what_no_network_takes_is_refused(name: str, channels: int, classes: int, size: Size) -> None:
    with pytest.raises(UserError, match=f"a {name} takes 1 or 3 channels.*{channels} channels, {classes} classes and {size[0]}x{size[1]}"):
        build(name, channels=channels, classes=classes, size=size)


@every
@pytest.mark.parametrize("size", [(4, 4), (5, 7), (12, 40), (33, 33)])
def test_odd_sizes_work(name: str, size: Size) -> None:
    with torch.no_grad():
        features = made(name, 1, size, classes=2)(batch(2, 1, size))
    assert bool(features.embedding.isfinite().all())
    assert float(features.embedding.var(0).sum()) > 0


@every
def test_resizable_says_whether_half_the_side_fits(name: str) -> None:
    network = made(name)
    if network.resizable:
        with torch.no_grad():
            assert network(batch(2, 3, (16, 16))).logits.shape == (2, 10)
    else:
        with pytest.raises((RuntimeError, ValueError), match=r"shapes cannot be multiplied|spatial element"):
            network(batch(2, 3, (16, 16)))
