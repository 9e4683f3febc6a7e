"""The networks of the zoo, and the same layers written out with torch's own modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from datastill.networks import Network, Size, build
from datastill.networks.layers import BatchNorm, InstanceNorm


def made(name: str, channels: int = 3, size: Size = (32, 32), *, classes: int = 10, seed: int = 0) -> Network:
    """A network for inference, by default for images of 32x32 pixels and ten classes."""
    network = build(name, channels=channels, classes=classes, size=size)
    network.reset(torch.Generator().manual_seed(seed))
    return network.eval()


def batch(count: int, channels: int = 3, size: Size = (32, 32), seed: int = 0) -> Tensor:
    """Noise in the shape of images."""
    return torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(seed))


def reference(name: str, network: Network) -> nn.Module:
    """The network written out with torch's own modules, with the same weights."""
    layers: list[nn.Module]
    if name == "resnet18":
        return ReferenceResNet(network)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in network.modules() if isinstance(module, InstanceNorm | BatchNorm)]
    pooled = {"convnet": (0, 1, 2), "convnet-bn": (0, 1, 2), "alexnet": (0, 1, 4), "vgg11": (0, 1, 3, 5, 7)}[name]
    layers = []
    for index, convolution in enumerate(convolutions):
        layers.append(plain(convolution))
        if norms:
            layers.append(plain_norm(norms[index]))
        layers.append(nn.ReLU())
        if index in pooled:
            layers.append(nn.AvgPool2d(2) if name.startswith("convnet") else nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), linear(network))


def plain(module: nn.Conv2d) -> nn.Conv2d:
    """A copy of a convolution."""
    kernel = module.kernel_size[0]
    copy = nn.Conv2d(
        module.in_channels, module.out_channels, kernel, stride=module.stride[0], padding=kernel // 2, bias=module.bias is not None
    )
    copy.load_state_dict(module.state_dict())
    return copy


def group_norm(norm: InstanceNorm) -> nn.GroupNorm:
    """Instance norm as a group norm with one channel a group."""
    copy = nn.GroupNorm(len(norm.weight), len(norm.weight))
    copy.load_state_dict(norm.state_dict())
    return copy


def plain_norm(norm: InstanceNorm | BatchNorm) -> nn.Module:
    """A copy of a normalisation."""
    if isinstance(norm, InstanceNorm):
        return group_norm(norm)
    copy = nn.BatchNorm2d(len(norm.weight), eps=norm.epsilon, momentum=norm.momentum)
    given = {"weight": norm.weight, "bias": norm.bias, "running_mean": norm.running_mean, "running_var": norm.running_variance}
    copy.load_state_dict(given, strict=False)
    return copy


def linear(network: Network) -> nn.Linear:
    """A copy of the last layer."""
    found = next(module for module in network.modules() if isinstance(module, nn.Linear))
    copy = nn.Linear(found.in_features, found.out_features)
    copy.load_state_dict(found.state_dict())
    return copy


class ReferenceResNet(nn.Module):
    """ResNet18 by the order in which its layers are listed: stem, then per block two convolutions and perhaps a shortcut."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(plain(module) for module in network.modules() if isinstance(module, nn.Conv2d))
        self.norms = nn.ModuleList(group_norm(module) for module in network.modules() if isinstance(module, InstanceNorm))
        self.classifier = linear(network)

    def forward(self, images: Tensor) -> Tensor:
        steps = iter(zip(self.convolutions, self.norms, strict=True))

        def step(map: Tensor) -> Tensor:
            convolution, norm = next(steps)
            result: Tensor = norm(convolution(map))
            return result

        map = step(images).relu()
        for block in range(8):
            inner = step(step(map).relu())
            map = (inner + (step(map) if block in (2, 4, 6) else map)).relu()
        logits: Tensor = self.classifier(map.mean((2, 3)))
        return logits
