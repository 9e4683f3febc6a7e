"""The layers that all networks of the zoo share."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datastill.size import Size


class Convolution(nn.Conv2d):
    """A convolution that computes in the precision of its input, whatever the precision its weights are kept in.

    Attributes:
        other: Another way to compute it, from maps, weights and bias; gives None for maps that it does not suit.
    """

    other: Callable[[Tensor, Tensor, Tensor | None], Tensor | None] | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Convolve in the precision of the input."""
        weight, bias = self.weight.to(input.dtype), None if self.bias is None else self.bias.to(input.dtype)
        if self.other is not None and (found := self.other(input, weight, bias)) is not None:
            return found
        convolved: Tensor = self._conv_forward(input, weight, bias)
        return convolved


class InstanceNorm(nn.Module):
    """Instance normalisation with a scale and a shift per channel, statistics in 32 bits.

    The zoo of the condensation papers writes it as a group norm with one channel per group; the two are equal.

    Attributes:
        pooled: Computes what `average_pool` makes of the rectified output, from input, scale, shift and epsilon, without writing that
            output; gives None for maps that it does not suit.
    """

    pooled: Callable[[Tensor, Tensor, Tensor, float], Tensor | None] | None = None

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.epsilon = epsilon

    def forward(self, input: Tensor) -> Tensor:
        """Normalise every channel of every image."""
        if not torch.compiler.is_compiling():
            return F.instance_norm(input.float(), weight=self.weight, bias=self.bias, eps=self.epsilon).to(input.dtype)
        return normalised(input, self.weight, self.bias, self.epsilon)


def normalised(input: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """Instance normalisation for the compiler, which fuses what is written out with the activation after it and keeps the layout.

    Args:
        input: ``image channel height width``, in any precision.
        weight: The scale, float32 ``channel``.
        bias: The shift, float32 ``channel``.
        epsilon: Added to the variance.
    """
    wide = input.float()
    share = 1 / input[0, 0].numel()  # a product is several times cheaper than the division of a mean, which comes back in its gradient
    mean = wide.sum((2, 3), keepdim=True) * share
    if input.dtype == torch.float32:
        variance = (wide - mean).square().sum((2, 3), keepdim=True) * share
    else:  # one pass over the map instead of two; what cancels is far below the rounding of a 16-bit map
        variance = (wide.square().sum((2, 3), keepdim=True) * share - mean.square()).clamp(min=0)
    # The inverse square root, as an exponential: that the compiler keeps for every map, a root it computes again for every pixel.
    scale = torch.exp(-0.5 * torch.log(variance + epsilon)) * weight[:, None, None]
    return (wide * scale + (bias[:, None, None] - mean * scale)).to(input.dtype)


class BatchNorm(nn.Module):
    """Batch normalisation with a scale and a shift per channel, statistics in 32 bits.

    In training it normalises by the batch and, where the weights are trained, keeps a running mean and variance, which it normalises by
    in evaluation. A frozen network keeps none.

    Args:
        channels: Of its input.
        epsilon: Added to the variance.
        momentum: Share of a batch in the running statistics.
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, channels: int, epsilon: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_variance", torch.ones(channels))
        self.epsilon, self.momentum = epsilon, momentum

    def forward(self, input: Tensor) -> Tensor:
        """Normalise every channel over the batch, or by the running statistics."""
        wide = input.float()
        mean, variance = self.running_mean, self.running_variance
        if self.training:
            variance, mean = torch.var_mean(wide, (0, 2, 3), correction=0)
            if self.weight.requires_grad:
                count = wide.numel() // wide.shape[1]
                with torch.no_grad():
                    self.running_mean.lerp_(mean.detach(), self.momentum)
                    self.running_variance.lerp_(variance.detach() * (count / max(1, count - 1)), self.momentum)
        scale = torch.rsqrt(variance + self.epsilon) * self.weight
        return (wide * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]).to(input.dtype)


class GroupNorm(nn.Module):
    """Group normalisation with a scale and a shift per channel, statistics in 32 bits.

    Args:
        channels: Of its input, a multiple of the number of groups.
        groups: How many; the condensation papers have four.
        epsilon: Added to the variance.
    """

    def __init__(self, channels: int, groups: int = 4, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.groups, self.epsilon = groups, epsilon

    def forward(self, input: Tensor) -> Tensor:
        """Normalise every group of channels of every image."""
        return F.group_norm(input.float(), self.groups, self.weight, self.bias, self.epsilon).to(input.dtype)


class LayerNorm(nn.Module):
    """Layer normalisation over channels and positions with a scale and a shift for each of their values, statistics in 32 bits.

    Args:
        channels: Of its input.
        size: Height and width of its input.
        epsilon: Added to the variance.
    """

    def __init__(self, channels: int, size: Size, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, *size))
        self.bias = nn.Parameter(torch.zeros(channels, *size))
        self.epsilon = epsilon

    def forward(self, input: Tensor) -> Tensor:
        """Normalise every image."""
        return F.layer_norm(input.float(), self.weight.shape, self.weight, self.bias, self.epsilon).to(input.dtype)


def average_pool(map: Tensor) -> Tensor:
    """Average over 2x2 cells; an odd last row or column is left out, as `torch.nn.functional.avg_pool2d` does.

    Args:
        map: ``image channel height width``.
    """
    height, width = map.shape[2] // 2, map.shape[3] // 2
    if not torch.compiler.is_compiling():
        return F.avg_pool2d(map, 2)
    # As a mean over cells the compiler computes it where the map is made, which is then never written to memory.
    cells = map[:, :, : 2 * height, : 2 * width].float().reshape(*map.shape[:2], height, 2, width, 2)
    return (cells.sum((3, 5)) * 0.25).to(map.dtype)


class Classifier(nn.Linear):
    """The linear layer from embedding to logits, always in 32 bits."""

    def forward(self, input: Tensor) -> Tensor:
        """Compute the logits."""
        return F.linear(input.float(), self.weight.float(), self.bias.float())
