"""The base of the four networks: input padding, initialisation from a generator, precision of frozen weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datastill.errors import UserError
from datastill.networks.features import Features
from datastill.networks.layers import BatchNorm, Convolution, GroupNorm, InstanceNorm, LayerNorm
from datastill.size import Size


class Network(nn.Module, ABC):
    """A network of the condensation papers' zoo, for any input size.

    Images whose sides are no multiple of what the pools divide by are padded with zeros (the mean colour), equally on both sides:
    28x28 becomes 32x32 as in the papers.

    Attributes:
        name: The name on the command line.
        summary: One line for `datastill list networks`.
        multiple: The sides of an input are padded to a multiple of this.
        resizable: Whether it takes images of another size than it was built for.
        batchwise: Whether an image's features depend on the other images in the batch, as with batch norm; such a batch is never cut.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    multiple: int = 8
    resizable: ClassVar[bool] = False
    batchwise: ClassVar[bool] = False

    def __init__(self, channels: int, classes: int, size: Size) -> None:
        super().__init__()
        if channels not in (1, 3) or classes < 1 or min(size) < 4:
            raise UserError(
                f"a {self.name} takes 1 or 3 channels, at least 1 class and images of at least 4x4 pixels, "
                f"but got {channels} channels, {classes} classes and {size[0]}x{size[1]} pixels"
            )
        self.channels, self.classes, self.size = channels, classes, size

    @abstractmethod
    def forward(self, images: Tensor) -> Features:
        """Compute the features of ``image channel height width``, normalised per channel."""

    def padded(self) -> Size:
        """The input size after padding."""
        height, width = self.size
        return height + -height % self.multiple, width + -width % self.multiple

    def pad(self, images: Tensor) -> Tensor:
        """Pad with zeros to a multiple of `multiple`, equally on both sides (one more at the end if odd)."""
        height, width = -images.shape[2] % self.multiple, -images.shape[3] % self.multiple
        if not height and not width:
            return images
        return F.pad(images, (width // 2, width - width // 2, height // 2, height - height // 2))

    @torch.no_grad()
    def reset(self, generator: torch.Generator) -> None:
        """Draw new weights from PyTorch's default distributions, U(-1/sqrt(fan_in), 1/sqrt(fan_in)), in place."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                bound = module.weight[0].numel() ** -0.5
                for parameter in (module.weight, module.bias):
                    if parameter is not None:
                        drawn = torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator)
                        parameter.copy_(drawn)
            elif isinstance(module, InstanceNorm | BatchNorm | GroupNorm | LayerNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
                if isinstance(module, BatchNorm):
                    nn.init.zeros_(module.running_mean)
                    nn.init.ones_(module.running_variance)

    @torch.no_grad()
    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Copy weights by name, in place and in the precision they are kept in here.

        Args:
            weights: One tensor for every entry of `weights`, of its shape; others are ignored.

        Raises:
            UserError: If one is missing, or has another shape or no floating-point numbers.
        """
        entries = self.weights()
        for name, entry in entries.items():
            given = weights.get(name)
            if given is None or given.shape != entry.shape or not given.is_floating_point():
                got = "nothing" if given is None else f"{given.dtype} {tuple(given.shape)}"
                raise UserError(f"these are not the weights of this {self.name}: '{name}' must be {tuple(entry.shape)}, got {got}")
        for name, entry in entries.items():
            entry.copy_(weights[name])

    def weights(self) -> dict[str, Tensor]:
        """Everything that makes the trained network, by name: parameters, and the running statistics of a batch norm; not copies."""
        return {**{name: parameter.detach() for name, parameter in self.named_parameters()}, **dict(self.named_buffers())}

    def freeze(self, precision: torch.dtype) -> None:
        """Keep the convolutions' weights in the precision they compute in and take no gradients; norms and classifier stay in 32 bits."""
        for module in self.modules():
            if isinstance(module, Convolution):
                module.to(precision)
        self.requires_grad_(False)


def halved(size: Size) -> Size:
    """The size after a 2x2 pool, or the same size where a side would fall below 2 pixels, which instance norm cannot take."""
    return size if min(size) < 4 else (size[0] // 2, size[1] // 2)
