"""Which convolutions go which way: by their shape, and by a short measurement on this machine."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.data import cache_folder
from datastill.engine.convolution import native, operators
from datastill.errors import UserError
from datastill.files import make_folder, read_sealed, reason, sealed, write_atomic
from datastill.logs import logger
from datastill.networks import Network
from datastill.networks.layers import Convolution, InstanceNorm
from datastill.provenance import machine

log = logger(__name__)

DIRECT, WINOGRAD = "direct", "winograd"
CONVOLUTIONS = (DIRECT, WINOGRAD)
TRANSFORMED = 2**24
"""Bytes that the transformed weights of a layer may take: beyond what a last-level cache holds, reading them costs more than it saves."""
SMALLEST = 4
"""Pixels of the smaller side of a map below which most of a tile lies beyond its edge."""
TIMES = 6
"""Measurements of each way, some 50 ms each on two cores."""
CLOSE = 1e-3
"""How far, relative to their size, results may be from the direct ones; rounding makes some 1e-5."""


def use(network: Network, convolutions: str) -> None:
    """Have a network's convolutions computed in a way.

    Args:
        network: Its convolutions 3x3 with a stride and a padding of 1, of as many channels as the kernels take, are computed so in 32
            bits; all others, and all on other devices, are left as they are.
        convolutions: One of `CONVOLUTIONS`.
    """
    for layer in network.modules():
        if isinstance(layer, Convolution):
            layer.other = _other(layer) if convolutions == WINOGRAD else None
        elif isinstance(layer, InstanceNorm):
            layer.pooled = _pooled if convolutions == WINOGRAD and len(layer.weight) % native.panel() == 0 else None


def fastest() -> str:
    """What is faster on this machine in training a layer of the default network, one of `CONVOLUTIONS`.

    It is measured once for a processor, a number of threads and a version of torch: the cache folder keeps what was found.
    """
    try:
        kept = cache_folder() / "measured" / f"convolutions-{_machine()}.json"
        found = read_sealed(kept)[0].get("convolutions") if kept.is_file() else None
    except UserError:  # no cache, or a damaged one: measure again
        return WINOGRAD if _ratio() > 1 else DIRECT
    if found not in CONVOLUTIONS:
        found = WINOGRAD if _ratio() > 1 else DIRECT
        if works():
            with suppress(UserError):  # the next process measures again
                make_folder(kept.parent)
                write_atomic(kept, json.dumps(sealed({"convolutions": found, "ratio": round(_ratio(), 3), "machine": machine()}), indent=1))
    return str(found)


def works() -> bool:
    """Whether the kernels compile here and give what they should."""
    return _ratio() > 0


def speed_up() -> float:
    """How many times faster the kernels are than the library's own convolution, forward and back; 0 if they do not work here."""
    return _ratio()


def _machine() -> str:
    about = json.dumps({**machine(), "kernels": native.source()}, sort_keys=True)
    return hashlib.sha256(about.encode()).hexdigest()[:16]


def _other(layer: Convolution) -> _Winograd | None:
    """How else a layer can be computed; None if not at all."""
    plain = layer.stride == (1, 1) and layer.padding == (1, 1) and layer.dilation == (1, 1) and layer.groups == 1
    if layer.kernel_size != (3, 3) or not plain or layer.padding_mode != "zeros" or layer.out_channels % native.panel():
        return None
    first = layer.in_channels in (1, 3)
    if not first and (layer.in_channels % native.panel() or 4 * native.POINTS * layer.weight[:, :, 0, 0].numel() > TRANSFORMED):
        return None
    return _Winograd(first)


class _Winograd:
    """Convolves by the kernels where they suit the maps, and otherwise directly."""

    def __init__(self, first: bool) -> None:
        self.first = first

    def __call__(self, maps: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor | None:
        if maps.dtype != torch.float32 or maps.device.type != "cpu" or min(maps.shape[2:]) < SMALLEST or not len(maps):
            return None
        convolve = operators.first_layer if self.first else partial(operators.winograd, turned=False)
        convolved: Tensor = convolve(native.last(maps), weights, bias)
        return convolved


def _pooled(maps: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor | None:
    """Norm, rectifier and pool as one kernel, where it suits the maps; it has first gradients only, which is all that is compiled."""
    odd = maps.shape[2] % 2 or maps.shape[3] % 2
    if not torch.compiler.is_compiling() or maps.dtype != torch.float32 or maps.device.type != "cpu" or odd or not len(maps):
        return None
    pooled: Tensor = operators.normalised(native.last(maps), weight, bias, epsilon)[0]
    return pooled


@cache
def _ratio() -> float:
    """How many times faster the kernels are; 0 if they don't compile or give something else."""
    try:
        native.kernels()
    except Exception as error:  # whatever a compiler or a processor that was never seen makes of it
        log.info("convolutions in 32 bits are torch's own, since the faster ones do not compile (%s)", reason(error)[:120])
        return 0.0
    generator = torch.Generator().manual_seed(0)
    maps, weights = (torch.randn(shape, generator=generator) for shape in ((24, 128, 16, 16), (128, 128, 3, 3)))
    ours = partial(_pass, lambda maps, weights: operators.winograd(maps, weights, None, False), native.last(maps), native.last(weights))
    theirs = partial(_pass, partial(F.conv2d, padding=1), native.last(maps), native.last(weights))
    if not all(float((one - other).norm()) <= CLOSE * float(other.norm()) for one, other in zip(ours(), theirs(), strict=True)):
        log.warning("the kernels for convolutions in 32 bits are wrong on this processor, so torch's own are used; please report it")
        return 0.0
    taken = [(_seconds(theirs), _seconds(ours)) for _ in range(TIMES)]  # in turn, and the best of each: other work only ever adds
    return min(direct for direct, _ in taken) / min(fast for _, fast in taken)


def _seconds(compute: Callable[[], object]) -> float:
    began = time.perf_counter()
    compute()
    return time.perf_counter() - began


def _pass(convolve: Callable[[Tensor, Tensor], Tensor], maps: Tensor, weights: Tensor) -> list[Tensor]:
    """What a layer and its gradients are."""
    maps, weights = maps.requires_grad_(), weights.requires_grad_()
    convolved = convolve(maps, weights)
    return [convolved.detach(), *torch.autograd.grad(convolved, (maps, weights), convolved.detach())]
