"""Which convolutions go which way: by their shape, and by a short measurement on this machine."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.data import cache_folder
from datastill.engine import hardware
from datastill.engine.convolution import native, operators
from datastill.errors import UserError
from datastill.files import locked, make_folder, read_sealed, reason, sealed, write_atomic
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
    """What is faster on this machine in training a layer of the default network in 32 bits, one of `CONVOLUTIONS`.

    It is measured once for a processor, a number of threads and a version of torch: the cache folder keeps what was found.
    """
    return _found().fastest


def bf16_is_faster() -> bool:
    """Whether this machine trains that layer faster in bf16 than in 32 bits, each in its fastest way (measured once, as `fastest` is).

    That a processor has instructions for bf16 does not say so: one takes 3.5 times as long with them as the kernels do in 32 bits.
    """
    found = _found()
    return found.bf16 > max(1.0, found.ratio)


@dataclass(frozen=True)
class _Speeds:
    """How many times faster than the library's own convolution in 32 bits others are; 0 for what does not work here.

    Attributes:
        ratio: The kernels.
        bf16: The library's own in bf16.
    """

    ratio: float
    bf16: float

    @property
    def fastest(self) -> str:
        return WINOGRAD if self.ratio > 1 else DIRECT


def _found() -> _Speeds:
    """What was measured on this machine, now or before; one process measures, and others wait for it, so that all of them agree."""
    try:
        kept = cache_folder() / "measured" / f"convolutions-{_machine()}.json"
        if (found := _read(kept)) and found.ratio:
            return found
        make_folder(kept.parent)
        with locked(kept, "the measurement of this machine", wait=True):
            earlier = _read(kept)
            if earlier and earlier.ratio:
                return earlier
            # a compiler may have been installed since, but what bf16 gains stays as it was found
            found = _Speeds(round(_ratio(), 3), earlier.bf16 if earlier else round(_bf16_ratio(), 3))
            if found != earlier:
                write_atomic(kept, json.dumps(sealed({"ratio": found.ratio, "bf16": found.bf16, "machine": machine()}), indent=1))
            return found
    except UserError:  # there is nowhere to keep it
        return _Speeds(_ratio(), _bf16_ratio())


def _read(kept: Path) -> _Speeds | None:
    """What is kept; None if nothing is, or it is damaged and to be measured again."""
    try:
        content = read_sealed(kept)[0] if kept.is_file() else {}
    except UserError:
        return None
    ratios = [float(value) for name in ("ratio", "bf16") if isinstance(value := content.get(name), int | float)]
    return _Speeds(*ratios) if len(ratios) == 2 and all(math.isfinite(ratio) and ratio >= 0 for ratio in ratios) else None


def works() -> bool:
    """Whether the kernels compile here and give what they should."""
    return _ratio() > 0


def speed_up() -> float:
    """How many times faster the kernels are than the library's own convolution, forward and back; 0 if they do not work here."""
    return _found().ratio


def bf16_speed_up() -> float:
    """The same of the library's own convolution in bf16; 0 if the hardware does not compute in it."""
    return _found().bf16


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
    maps, weights = _layer()
    ours = partial(_pass, lambda maps, weights: operators.winograd(maps, weights, None, False), maps, weights)
    theirs = partial(_pass, _direct, *_layer())
    if not all(float((one - other).norm()) <= CLOSE * float(other.norm()) for one, other in zip(ours(), theirs(), strict=True)):
        log.warning("the kernels for convolutions in 32 bits are wrong on this processor, so torch's own are used; please report it")
        return 0.0
    return _faster(ours, theirs)


@cache
def _bf16_ratio() -> float:
    """How many times faster the library's own convolution is in bf16; 0 if the hardware does not compute in it."""
    if not hardware.bf16_supported(torch.device("cpu")):
        return 0.0
    half = partial(_pass, _direct, *(tensor.to(torch.bfloat16) for tensor in _layer()))
    exact = partial(_pass, _direct, *_layer())
    half(), exact()  # the first pass of each prepares what later ones find
    return _faster(half, exact)


_direct = partial(F.conv2d, padding=1)


def _layer() -> tuple[Tensor, Tensor]:
    """Maps and weights of a layer of the default network, its channels last."""
    generator = torch.Generator().manual_seed(0)
    maps, weights = (torch.randn(shape, generator=generator) for shape in ((24, 128, 16, 16), (128, 128, 3, 3)))
    return native.last(maps), native.last(weights)


def _faster(one: Callable[[], object], other: Callable[[], object]) -> float:
    """How many times faster one way is than the other, measured in turn, the best of each: other work only ever adds."""
    taken = [(_seconds(other), _seconds(one)) for _ in range(TIMES)]
    return min(slow for slow, _ in taken) / min(fast for _, fast in taken)


def _seconds(compute: Callable[[], object]) -> float:
    began = time.perf_counter()
    compute()
    return time.perf_counter() - began


@torch.enable_grad()
def _pass(convolve: Callable[[Tensor, Tensor], Tensor], maps: Tensor, weights: Tensor) -> list[Tensor]:
    """What a layer and its gradients are."""
    maps, weights = maps.requires_grad_(), weights.requires_grad_()
    convolved = convolve(maps, weights)
    return [convolved.detach(), *torch.autograd.grad(convolved, (maps, weights), convolved.detach())]
