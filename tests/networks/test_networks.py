from __future__ import annotations

import pytest

from datastill.errors import UserError
from datastill.networks import build
from plain_networks import made


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # 3 (3x3 convolutions) + 3 norms + a linear layer: 3584 + 2 x 147584 + 3 x 256 + 20490
        ("convnet", 320_010),
        ("convnet-bn", 320_010),
        # 128x3x5x5+128 + 192x128x5x5+192 + 256x192x9+256 + 192x256x9+192 + 192x192x9+192 + (192x4x4)x10+10
        ("alexnet", 1_872_202),
        # torchvision's vgg11_bn features, 9,225,984, and a linear layer of 512x10+10
        ("vgg11", 9_231_114),
        # the widely published count of ResNet18 for CIFAR-10
        ("resnet18", 11_173_962),
    ],
)
def test_parameters_at_32x32_with_ten_classes(name: str, count: int) -> None:
    assert sum(parameter.numel() for parameter in made(name).parameters()) == count


@pytest.mark.parametrize(
    ("given", "meant"), [("ConvNet", "convnet"), ("resnet", "resnet18"), ("ResNet-18", "resnet18"), ("vgg-11", "vgg11")]
)
def test_a_misspelt_network_gets_a_suggestion(given: str, meant: str) -> None:
    with pytest.raises(UserError, match=f"unknown network '{given}'. Did you mean '{meant}'"):
        build(given, channels=3, classes=10, size=(32, 32))
