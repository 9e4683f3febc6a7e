"""What the machine has: its devices, a compiler that works, its cache, bfloat16. `datastill.engine.policy` decides what to make of it."""

from __future__ import annotations

import logging
import platform
import shutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch

from datastill import stopping
from datastill.engine.compiling import announce, keep_compiled, why_unsafe
from datastill.errors import UserError
from datastill.files import reason

COMPILERS = ("g++", "clang++", "c++")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNKNOWN_CACHE = 16 * 2**20
"""Bytes that the processor's last cache is taken to have where its size cannot be read."""
LEAST_IN_FLIGHT = 4 * 2**20
"""Bytes of a network's widest map that are in flight at least."""
MOST_IN_FLIGHT = 2**24 - 1
"""Bytes of a network's widest map that are in flight at most on a CPU, whatever cache it reports.

A virtual machine may report one that it shares with many. And from 32 MiB on, the C library gives a buffer back to the system and takes
fresh pages for the next one, which costs more than the convolution: a map of this many bytes in 16 bits is below that in 32 bits as well.
"""
IN_FLIGHT_ON_GPU = 2**30


def device(name: str) -> torch.device:
    """Find a device and try it.

    Args:
        name: "auto" for a GPU if there is one; otherwise a name that torch knows, such as "cpu" or "cuda:1".

    Raises:
        UserError: If there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.zeros(1, device=found).tolist()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"the device '{name}' is not available ({str(error).splitlines()[0]}); try `device=cpu`") from error
    return found


def why_no_compiler(device: torch.device) -> str:
    """Why nothing can be compiled for a device, or must not be; "" if it can."""
    if device.type == "cuda":
        return why_unsafe() if find_spec("triton") is not None else "Triton is not installed"
    if device.type != "cpu":
        return f"nothing is compiled for {device.type}"
    if not any(shutil.which(name) for name in COMPILERS):
        return "no C++ compiler (g++, clang++) is found, install one"
    return why_unsafe() or compile_trial()


@cache
def compile_trial() -> str:
    """Compile something small, as a compiler may exist without its headers; why it failed, or ""."""
    keep_compiled()
    announce()
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it tells every user without a GPU that there is none
    try:
        torch.compile(lambda value: value + 1, dynamic=False)(torch.zeros(16))
    except Exception as error:  # whatever a broken compiler makes of it
        stopping.check_error(error)
        return f"the C++ compiler does not work ({reason(error)[:120]})"
    return ""


def bf16_supported(device: torch.device) -> bool:
    """Whether the hardware itself computes in bfloat16."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return False
    if platform.machine().lower() in ("x86_64", "amd64") and not torch.cpu._is_avx512_bf16_supported():
        return False  # oneDNN takes it on older processors too and only emulates it
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@cache
def in_flight(device: torch.device) -> int:
    """Bytes of a network's widest map that a micro-batch may take: a quarter of the last cache, 4 to 16 MiB; on a GPU 1 GiB."""
    if device.type != "cpu":
        return IN_FLIGHT_ON_GPU
    return min(max(LEAST_IN_FLIGHT, last_cache() // 4), MOST_IN_FLIGHT)


def last_cache() -> int:
    """Bytes of the processor's largest cache."""
    sizes = []
    for path in CACHES.glob("index*/size"):
        text = path.read_text().strip()
        if text.endswith("K") and text[:-1].isdigit():
            sizes.append(1024 * int(text[:-1]))
    return max(sizes, default=UNKNOWN_CACHE)
