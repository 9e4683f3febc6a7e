"""Which convolutions go which way: by their shape, and by a short measurement on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.engine import hardware
from datastill.engine.convolution import native, operators
from datastill.engine.convolution.kept import kept
from datastill.files import reason
from datastill.logs import logger
from datastill.networks import Network
from datastill.networks.layers import Convolution, InstanceNorm, average_pool, normalised

log = logger(__name__)

DIRECT, WINOGRAD, FUSED = "direct", "winograd", "fused"
CONVOLUTIONS = (DIRECT, WINOGRAD, FUSED)
"""Which of our kernels are used: none; in 32 bits those for convolutions, and for norm, rectifier and pool; in bf16 the latter alone."""
TRANSFORMED = 2**24
"""Bytes that the transformed weights of a layer may take: beyond what a last-level cache holds, reading them costs more than it saves."""
SMALLEST = 4
"""Pixels of the smaller side of a map below which most of a tile lies beyond its edge."""
WIDTH = 128
"""Channels of the layer that is measured, those of the default network."""
EPSILON = 1e-5
"""Of its norm."""
BF16 = "bf16"
TIMES = 6
"""Measurements of each way, some 50 ms each on two cores."""
CLOSE = {torch.float32: 1e-3, torch.bfloat16: 2e-2}
"""How far, relative to their size, results may be from torch's own; rounding makes some 1e-5 in 32 bits and 3e-3 in 16."""


def use(network: Network, convolutions: str) -> None:
    """Have a network's convolutions computed in a way.

    Args:
        network: Its convolutions 3x3 with a stride and a padding of 1, of as many channels as the kernels take, are computed so in 32
            bits, and norm, rectifier and pool of such maps in the precision that the name stands for; all others, and all on other devices,
            are left as they are.
        convolutions: One of `CONVOLUTIONS`; all is left as it is where its kernels do not work.
    """
    convolutions = convolutions if works(convolutions) else DIRECT
    precision = {WINOGRAD: torch.float32, FUSED: torch.bfloat16}.get(convolutions)
    for layer in network.modules():
        if isinstance(layer, Convolution):
            layer.other = _other(layer) if convolutions == WINOGRAD else None
        elif isinstance(layer, InstanceNorm):
            layer.pooled = partial(_pooled, precision) if precision and len(layer.weight) % native.panel() == 0 else None


def fastest(precision: torch.dtype = torch.float32) -> str:
    """What is faster on this machine in training a layer of the default network, compiled, in 32 bits or in bf16, one of `CONVOLUTIONS`.

    It is measured once for a processor, a number of threads and a version of torch: the cache folder keeps what was found.
    """
    if precision == torch.float32:
        return _found().fastest
    return FUSED if precision == torch.bfloat16 and fused_speed_up() > 1 else DIRECT


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
    """What was measured of convolutions on this machine, now or before."""

    def measured(earlier: Mapping[str, float]) -> dict[str, float]:
        # a compiler may have been installed since, but what bf16 gains stays as it was found
        return {"ratio": round(_ratio(), 3), "bf16": earlier["bf16"] if earlier else round(_bf16_ratio(), 3)}

    return _Speeds(**kept("convolutions", ("ratio", "bf16"), measured))


@cache
def works(convolutions: str) -> bool:
    """Whether the kernels of a name compile here and give what they should."""
    if convolutions == DIRECT:
        return True
    convolves = convolutions == WINOGRAD
    what = "the kernels for convolutions in 32 bits" if convolves else "the kernels for norms in bf16"
    maps, weights = _layer()
    tensors = (maps, weights) if convolves else (maps.to(torch.bfloat16), torch.rand(WIDTH), torch.rand(WIDTH))
    ours, theirs = (_winograd, _direct) if convolves else (_fused, _separate)
    try:
        native.kernels()
        found, expected = _pass(ours, *tensors), _pass(theirs, *tensors)
    except Exception as error:  # whatever a compiler or a processor that was never seen makes of it
        log.info("%s do not compile, so these layers are torch's own (%s)", what, reason(error)[:120])
        return False
    close, pairs = CLOSE[tensors[0].dtype], [(one.float(), other.float()) for one, other in zip(found, expected, strict=True)]
    if not all(float((one - other).norm()) <= close * float(other.norm()) for one, other in pairs):
        log.warning("%s are wrong on this processor, so torch's own layers are used; please report it", what)
        return False
    return True


def speed_up() -> float:
    """How many times faster the kernels are than the library's own convolution, forward and back; 0 if they do not work here."""
    return _found().ratio


def bf16_speed_up() -> float:
    """The same of the library's own convolution in bf16; 0 if the hardware does not compute in it."""
    return _found().bf16


def fused_speed_up() -> float:
    """How many times faster the kernel for norm, rectifier and pool is in bf16 than what torch compiles; 0 if it does not work here."""
    return kept("norms", ("ratio",), lambda earlier: {"ratio": round(_fused_ratio(), 3)})["ratio"]


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


def _pooled(precision: torch.dtype, maps: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor | None:
    """Norm, rectifier and pool as one kernel, where it suits the maps; it has first gradients only, which is all that is compiled."""
    odd = maps.shape[2] % 2 or maps.shape[3] % 2
    if not torch.compiler.is_compiling() or maps.dtype != precision or maps.device.type != "cpu" or odd or not len(maps):
        return None
    pooled: Tensor = operators.normalised(native.last(maps), weight, bias, epsilon)[0]
    return pooled


def _ratio() -> float:
    """How many times faster the kernels for convolutions are; 0 if they do not work."""
    return _times_faster(WINOGRAD, torch.get_num_threads()) if works(WINOGRAD) else 0.0


def _fused_ratio() -> float:
    """How many times faster the kernel for norm, rectifier and pool is in bf16, each compiled; 0 if it does not work."""
    return _times_faster(FUSED, torch.get_num_threads()) if works(FUSED) else 0.0


def _bf16_ratio() -> float:
    """How many times faster the library's own convolution is in bf16; 0 if the hardware does not compute in it."""
    return _times_faster(BF16, torch.get_num_threads()) if hardware.bf16_supported(torch.device("cpu")) else 0.0


@cache
def _times_faster(what: str, threads: int) -> float:
    """How many times faster a layer is in one way than in the usual one, with the threads that there are now."""
    maps, weights = _layer()
    exact = partial(_pass, _direct, maps, weights)
    if what == WINOGRAD:
        return _faster(partial(_pass, _winograd, maps, weights), exact)
    if what == BF16:
        return _faster(partial(_pass, _direct, *(tensor.to(torch.bfloat16) for tensor in (maps, weights))), exact)
    tensors = (maps.to(torch.bfloat16), torch.ones(WIDTH), torch.zeros(WIDTH))
    fused, separate = (torch.compile(compute, dynamic=False) for compute in (_fused, _compiled))
    return _faster(partial(_pass, fused, *tensors), partial(_pass, separate, *tensors))


_direct = partial(F.conv2d, padding=1)


def _winograd(maps: Tensor, weights: Tensor) -> Tensor:
    convolved: Tensor = operators.winograd(maps, weights, None, False)
    return convolved


def _fused(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    pooled: Tensor = operators.normalised(native.last(maps), weight, bias, EPSILON)[0]
    return pooled


def _separate(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """What the kernel is compared with: rounded to 16 bits at the end alone."""
    return F.avg_pool2d(F.relu(F.instance_norm(maps.float(), weight=weight, bias=bias, eps=EPSILON)), 2).to(maps.dtype)


def _compiled(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """What the kernel is timed against: what the network would compute without it."""
    return average_pool(F.relu(normalised(maps, weight, bias, EPSILON)))


def _layer() -> tuple[Tensor, Tensor]:
    """Maps and weights of a layer of the default network, its channels last."""
    generator = torch.Generator().manual_seed(0)
    maps, weights = (torch.randn(shape, generator=generator) for shape in ((24, WIDTH, 16, 16), (WIDTH, WIDTH, 3, 3)))
    return native.last(maps), native.last(weights)


def _faster(one: Callable[[], object], other: Callable[[], object]) -> float:
    """How many times faster one way is than the other, measured in turn, the best of each: other work only ever adds."""
    one(), other()  # the first pass of each prepares what later ones find
    taken = [(_seconds(other), _seconds(one)) for _ in range(TIMES)]
    return min(slow for slow, _ in taken) / min(fast for _, fast in taken)


def _seconds(compute: Callable[[], object]) -> float:
    began = time.perf_counter()
    compute()
    return time.perf_counter() - began


@torch.enable_grad()
def _pass(compute: Callable[..., Tensor], *tensors: Tensor) -> list[Tensor]:
    """What a layer and its gradients are."""
    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    computed = compute(*leaves)
    return [computed.detach(), *torch.autograd.grad(computed, leaves, computed.detach())]
