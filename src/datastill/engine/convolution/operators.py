"""The kernels as operators that torch differentiates and compiles around.

Convolutions any number of times: each is bilinear in maps x and weights w, so the gradients of one are again the others. With
``y = winograd(x, w)`` and a gradient g of y, ``dx = winograd(g, w, turned)`` and ``dw = winograd_weights(x, g)``.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, library

from datastill.engine.convolution import native
from datastill.engine.convolution.native import last

Gradients = tuple[Tensor | None, ...]


@library.custom_op("datastill::winograd", mutates_args=(), device_types="cpu")
def winograd(maps: Tensor, weights: Tensor, bias: Tensor | None, turned: bool) -> Tensor:
    """Convolve (see `native.convolved`)."""
    return native.convolved(maps, weights, bias, turned)


@library.custom_op("datastill::winograd_weights", mutates_args=(), device_types="cpu")
def winograd_weights(maps: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of the weights and the bias of `winograd` (see `native.weights_gradient`)."""
    return native.weights_gradient(maps, gradient)


@library.custom_op("datastill::first_layer", mutates_args=(), device_types="cpu")
def first_layer(maps: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve maps of 1 or 3 channels, by the library's own convolution."""
    return F.conv2d(maps, weights, bias, padding=1)


@library.custom_op("datastill::first_layer_weights", mutates_args=(), device_types="cpu")
def first_layer_weights(maps: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of the weights and the bias of `first_layer` (see `native.weights_gradient`)."""
    return native.weights_gradient(maps, gradient)


@library.custom_op("datastill::normalised", mutates_args=(), device_types="cpu")
def normalised(maps: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Instance norm, rectifier and average pool (see `native.normalised`); its gradients have none."""
    return native.normalised(maps, weight, bias, epsilon)


@library.custom_op("datastill::normalised_gradients", mutates_args=(), device_types="cpu")
def normalised_gradients(
    maps: Tensor, gradient: Tensor, weight: Tensor, bias: Tensor, means: Tensor, inverses: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of `normalised`."""
    return native.normalised_gradients(maps, gradient, weight, bias, means, inverses)


@winograd.register_fake
def _(maps: Tensor, weights: Tensor, bias: Tensor | None, turned: bool) -> Tensor:
    return _laid_out(maps, len(maps), weights.shape[1] if turned else weights.shape[0], *maps.shape[2:])


@first_layer.register_fake
def _(maps: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    return _laid_out(maps, len(maps), weights.shape[0], *maps.shape[2:])


@winograd_weights.register_fake
@first_layer_weights.register_fake
def _(maps: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    return _laid_out(maps, gradient.shape[1], maps.shape[1], 3, 3), maps.new_empty(gradient.shape[1])


@normalised.register_fake
def _(maps: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    count, channels, height, width = maps.shape
    kept = weight.new_empty(count, channels), weight.new_empty(count, channels)
    return _laid_out(maps, count, channels, height // 2, width // 2), *kept


@normalised_gradients.register_fake
def _(maps: Tensor, gradient: Tensor, weight: Tensor, bias: Tensor, means: Tensor, inverses: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return _laid_out(maps, *maps.shape), torch.empty_like(weight), torch.empty_like(bias)


def _laid_out(like: Tensor, count: int, channels: int, height: int, width: int) -> Tensor:
    return like.new_empty(count, height, width, channels).permute(0, 3, 1, 2)


def _winograd_kept(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    maps, weights, _, ctx.turned = inputs
    ctx.save_for_backward(maps, weights)


def _winograd_gradients(ctx: Any, gradient: Tensor) -> Gradients:
    gradient = last(gradient)  # here, so that the compiler has it written in this layout
    (maps, weights), (of_maps, of_weights, of_bias, _) = ctx.saved_tensors, ctx.needs_input_grad
    to_maps = winograd(gradient, weights, None, not ctx.turned) if of_maps else None
    if ctx.turned:
        to_bias = gradient.sum((0, 2, 3)) if of_bias else None
        return to_maps, winograd_weights(gradient, maps)[0] if of_weights else None, to_bias, None
    to_weights, to_bias = winograd_weights(maps, gradient) if of_weights or of_bias else (None, None)
    return to_maps, to_weights, to_bias if of_bias else None, None


def _pair_kept(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.save_for_backward(inputs[0], inputs[1])


def _first_gradients(ctx: Any, gradient: Tensor) -> Gradients:
    gradient = last(gradient)
    (maps, weights), (of_maps, of_weights, of_bias) = ctx.saved_tensors, ctx.needs_input_grad
    to_maps = F.conv_transpose2d(gradient, weights, padding=1) if of_maps else None
    to_weights, to_bias = first_layer_weights(maps, gradient) if of_weights or of_bias else (None, None)
    return to_maps, to_weights, to_bias if of_bias else None


def _winograd_weights_gradients(ctx: Any, weights: Tensor, bias: Tensor) -> Gradients:
    (maps, gradient), (of_maps, of_gradient) = ctx.saved_tensors, ctx.needs_input_grad
    to_maps = winograd(gradient, weights, None, True) if of_maps else None
    return to_maps, winograd(maps, weights, bias, False) if of_gradient else None


def _first_weights_gradients(ctx: Any, weights: Tensor, bias: Tensor) -> Gradients:
    (maps, gradient), (of_maps, of_gradient) = ctx.saved_tensors, ctx.needs_input_grad
    to_maps = F.conv_transpose2d(gradient, weights, padding=1) if of_maps else None
    return to_maps, first_layer(maps, weights, bias) if of_gradient else None


def _normalised_kept(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    maps, weight, bias, _ = inputs
    ctx.save_for_backward(maps, weight, bias, *output[1:])


def _normalised_gradients(ctx: Any, gradient: Tensor, *of_kept: Tensor) -> Gradients:
    maps, weight, bias, means, inverses = ctx.saved_tensors
    return *normalised_gradients(maps, last(gradient), weight, bias, means, inverses), None


winograd.register_autograd(_winograd_gradients, setup_context=_winograd_kept)
winograd_weights.register_autograd(_winograd_weights_gradients, setup_context=_pair_kept)
first_layer.register_autograd(_first_gradients, setup_context=_pair_kept)
first_layer_weights.register_autograd(_first_weights_gradients, setup_context=_pair_kept)
normalised.register_autograd(_normalised_gradients, setup_context=_normalised_kept)
