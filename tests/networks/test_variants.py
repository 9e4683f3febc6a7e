"""ConvNets of other choices: the same layers as torch's own, and the default choices are ConvNet."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from datastill.errors import UserError
from datastill.networks import build, grid, network_type
from datastill.networks.variants import ConvNetChoices
from plain_networks import batch, linear, made, plain

CASES = [
    "convnet-32x1-sigmoid-nopool-nonorm", "convnet-32x2-leakyrelu-maxpool-layernorm", "convnet-64x4-relu-avgpool-groupnorm",
    "convnet-32x2-relu-nopool-batchnorm",
]  # fmt: skip
PLAIN = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "leakyrelu": nn.LeakyReLU}
POOLS: dict[str, type[nn.Module]] = {"maxpool": nn.MaxPool2d, "avgpool": nn.AvgPool2d}


def norms(name: str, channels: int, side: int) -> list[nn.Module]:
    found: dict[str, list[nn.Module]] = {
        "nonorm": [],
        "batchnorm": [nn.BatchNorm2d(channels)],
        "layernorm": [nn.LayerNorm([channels, side, side])],
        "groupnorm": [nn.GroupNorm(4, channels)],
    }
    return found[name]


@pytest.mark.parametrize("name", CASES)
def test_a_variant_is_the_plain_torch_network(name: str) -> None:
    network, images = made(name), batch(4)
    choices = ConvNetChoices.named(name)
    assert choices is not None
    layers, side = list[nn.Module](), 32
    for convolution in (module for module in network.modules() if isinstance(module, nn.Conv2d)):
        layers += [plain(convolution), *norms(choices.norm, choices.width, side), PLAIN[choices.activation]()]
        if choices.pool in POOLS:
            layers.append(POOLS[choices.pool](2))
            side //= 2
    written = nn.Sequential(*layers, nn.Flatten(), linear(network))
    with torch.no_grad():
        torch.testing.assert_close(network.train()(images).logits, written.train()(images), atol=1e-4, rtol=1e-4)
    assert network.batchwise == (choices.norm == "batchnorm")


def test_the_choices_of_convnet_are_convnet() -> None:
    images = batch(2, 1, (28, 28))
    one, other = (made(name, 1, (28, 28)) for name in ("convnet", "convnet-128x3-relu-avgpool-instancenorm"))
    assert {name: value.shape for name, value in one.weights().items()} == {name: value.shape for name, value in other.weights().items()}
    with torch.no_grad():
        assert torch.equal(one(images).logits, other(images).logits)


def test_the_grid_is_that_of_the_literature() -> None:
    assert len(set(grid())) == 720
    assert all(network_type(name).name == name for name in grid())


@pytest.mark.parametrize("name", ["convnet-30x2-relu-nopool-nonorm", "convnet-32x9-relu-nopool-nonorm", "convnet-32x2-relu-nonorm-nopool"])
def test_what_is_no_choice_is_refused_with_the_form(name: str) -> None:
    with pytest.raises(UserError, match=f"unknown network '{name}'.*convnet-WIDTHxDEPTH-ACTIVATION-POOL-NORM, such as convnet-256x4"):
        build(name, channels=3, classes=10, size=(32, 32))
