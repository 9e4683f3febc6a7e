"""The kernels, compiled for this processor by torch's own compiler of C++ and kept with everything else that it compiles."""

from __future__ import annotations

from ctypes import CDLL, c_float, c_int, c_long, c_void_p
from functools import cache
from importlib.resources import files

import torch
from torch import Tensor

from datastill.engine.compiling import announce, why_unsafe
from datastill.errors import UserError

SOURCES = ("vectors.cpp", "winograd.cpp", "normalise.cpp")
"""Compiled as one, in this order."""
POINTS = 36
"""Points of a transformed tile: 6x6 for F(4x4, 3x3)."""


@cache
def source() -> str:
    """What is compiled."""
    return "\n".join(files("datastill.engine.convolution").joinpath(name).read_text("utf-8") for name in SOURCES)


@cache
def kernels() -> CDLL:
    """Compile and load the kernels, once a process.

    Raises:
        UserError: If other users could put their code where compiled code is kept.
        Exception: Whatever a compiler that does not work makes of it.
    """
    if why := why_unsafe():
        raise UserError(why)
    announce()
    from torch._inductor.codecache import CppCodeCache

    library: CDLL = CppCodeCache.load(source())
    library.panel.restype = c_long
    return library


@cache
def panel() -> int:
    """What the channels of a convolution have to be a multiple of, in and out."""
    return int(kernels().panel())


def convolved(maps: Tensor, weights: Tensor, bias: Tensor | None, turned: bool) -> Tensor:
    """Convolve maps with weights 3x3, padded by 1.

    Args:
        maps: float32 ``image in height width``.
        weights: float32 ``out in 3 3``.
        bias: float32 ``out``, or None.
        turned: Whether the maps are ``image out height width`` and what is wanted is the transpose: the gradient of the input.

    Returns:
        ``image out height width``, ``in`` where turned, in channels-last layout.
    """
    taps = weights.permute(2, 3, 0, 1) if turned else weights.permute(2, 3, 1, 0)
    count, channels, height, width = maps.shape
    made = taps.shape[3]
    transformed = maps.new_empty(POINTS * channels * made)
    output = torch.empty((count, made, height, width), memory_format=torch.channels_last)
    _call("transform", (taps.contiguous(), transformed), (channels, made), c_int(turned))
    _call("convolve", (last(maps), transformed, bias, output), (count, height, width, channels, made))
    return output


def weights_gradient(maps: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of the weights and of the bias of a convolution 3x3, padded by 1.

    Args:
        maps: What is convolved, float32 ``image in height width``.
        gradient: Of what comes of it, float32 ``image out height width``.

    Returns:
        ``out in 3 3``, in channels-last layout, and ``out``.
    """
    (count, channels, height, width), made = maps.shape, gradient.shape[1]
    taps, bias = maps.new_empty(3, 3, channels, made), maps.new_empty(made)
    kernel = "weights_gradient" if channels % panel() == 0 else "weights_gradient_of_few"
    _call(kernel, (last(maps), last(gradient), taps, bias), (count, height, width, channels, made))
    return last(taps.permute(3, 2, 0, 1)), bias


def normalised(maps: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Instance norm, rectifier and average pool 2x2.

    Args:
        maps: float32 or bfloat16 ``image channel height width``, of even sides.
        weight: float32 ``channel``.
        bias: float32 ``channel``.
        epsilon: Added to the variance.

    Returns:
        ``image channel height/2 width/2`` in channels-last layout and in the precision of the maps, and the means and the inverse standard
        deviations, float32 ``image channel``.
    """
    count, channels, height, width = maps.shape
    output = torch.empty((count, channels, height // 2, width // 2), dtype=maps.dtype, memory_format=torch.channels_last)
    means, inverses = weight.new_empty(count, channels), weight.new_empty(count, channels)
    tensors = (last(maps), weight.contiguous(), bias.contiguous(), output, means, inverses)
    _call("normalise" + _suffix(maps), tensors, (count, height, width, channels), c_float(epsilon))
    return output, means, inverses


def normalised_gradients(
    maps: Tensor, gradient: Tensor, weight: Tensor, bias: Tensor, means: Tensor, inverses: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of the maps, the weight and the bias of `normalised`, from that of its output and what it kept."""
    count, channels, height, width = maps.shape
    to_maps = torch.empty((count, channels, height, width), dtype=maps.dtype, memory_format=torch.channels_last)
    to_weight, to_bias = weight.new_empty(count, channels), weight.new_empty(count, channels)
    tensors = (last(maps), last(gradient), weight.contiguous(), bias.contiguous(), means, inverses, to_maps, to_weight, to_bias)
    _call("normalise_gradient" + _suffix(maps), tensors, (count, height, width, channels))
    return to_maps, to_weight.sum(0), to_bias.sum(0)


def last(tensor: Tensor) -> Tensor:
    """In channels-last layout."""
    return tensor.contiguous(memory_format=torch.channels_last)


def _suffix(maps: Tensor) -> str:
    return "_16" if maps.dtype == torch.bfloat16 else ""


def _call(kernel: str, tensors: tuple[Tensor | None, ...], sizes: tuple[int, ...], *options: c_int | c_float) -> None:
    pointers = [None if tensor is None else c_void_p(tensor.data_ptr()) for tensor in tensors]
    getattr(kernels(), kernel)(*pointers, *map(c_long, sizes), *options, c_int(torch.get_num_threads()))
