"""What a bug report needs: versions, the machine, what works on it, what is kept where."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from datastill import provenance
from datastill.data import cache_folder
from datastill.engine import hardware
from datastill.engine.convolution import FUSED, WINOGRAD, bf16_is_faster, bf16_speed_up, fastest, fused_speed_up, speed_up, works
from datastill.engine.measuring import seconds_of
from datastill.errors import UserError
from datastill.plugins import GROUPS, offered
from datastill.report.forecast import free, size
from datastill.report.terminal import say_line
from datastill.text import counted

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "pyarrow", "safetensors", "cyclopts", "pydantic", "rich", "matplotlib", "datasets")
"""Packages whose versions matter."""
VARIABLES = ("DATASTILL_", "TORCHINDUCTOR_", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "CXX")
"""What environment variables begin with that change how this program runs."""
SIDE = 1024
"""Of the matrices whose product is timed."""


def findings(*, compile: bool = False) -> Iterator[tuple[str, str]]:
    """What is found, each with its name, within a few seconds.

    Args:
        compile: Whether the compiler is tried too, which takes up to a minute the first time.
    """
    machine, environment = provenance.machine(), dict(os.environ)  # before anything that is tried changes it
    yield "datastill", " ".join(filter(None, (provenance.package_version(), provenance.commit(), f"in {Path(__file__).parents[1]}")))
    yield "python", f"{sys.version.split()[0]} at {sys.executable}"
    yield "system", platform.platform()
    yield "packages", ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name)))
    yield (
        "processor",
        f"{machine['processor']}, {counted(int(machine['cores']), 'core')}, {counted(int(machine['threads']), 'thread')} used by torch",
    )
    total, available = _memory("MemTotal"), _memory("MemAvailable")
    yield "memory", f"{size(total)}, {size(available)} available" if total else "unknown"
    yield "gpu", _gpu()
    yield "speed", f"{_gigaflops():.0f} GFLOP/s, product of {SIDE}x{SIDE} matrices in fp32"
    cpu = torch.device("cpu")
    supported = hardware.bf16_supported(cpu)
    yield "bf16", "supported by the hardware; taken where it is measured to be faster" if supported else "not supported by the hardware"
    broken = hardware.why_no_compiler(hardware.device("auto")) if compile else ""
    yield "compiler", (broken or "works") if compile else _compiler()
    if compile and not broken:
        yield "convolutions", _convolutions()
    try:
        yield "cache", f"{cache_folder()}, {_kept(cache_folder())}"
    except UserError as error:
        yield "cache", str(error)
    for what, group in GROUPS.items():
        yield f"{what}s added", ", ".join(offered(what)) or f"none (entry points {group})"
    set_ = [f"{name}={value}" for name, value in sorted(environment.items()) if name.startswith(VARIABLES)]
    yield "environment", ", ".join(set_) or "nothing set"


def print_findings(*, compile: bool = False) -> None:
    """Print everything, line by line as it is found.

    Args:
        compile: As in `findings`.
    """
    for name, value in findings(compile=compile):
        say_line(f"{name:<15}{value}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _compiler() -> str:
    """What would compile on a CPU, without trying it."""
    found = next(filter(None, map(shutil.which, hardware.COMPILERS)), "no C++ compiler")
    return f"{found} found, not tried: `datastill doctor --compile` tries it"


def _convolutions() -> str:
    found = f"{fastest()} in fp32, where {WINOGRAD} is {speed_up():.1f} times as fast as torch's own"
    if not works(WINOGRAD):
        found = "torch's own in fp32, since the kernels that would be faster do not compile"
    if not bf16_speed_up():
        return found
    if not bf16_is_faster():
        return f"{found}; bf16 {bf16_speed_up():.1f} times as fast, so fp32 is taken"
    return f"{found}; bf16 {bf16_speed_up():.1f} times as fast and so taken, norms in it {_norms()}"


def _norms() -> str:
    if not (found := fused_speed_up()):
        return "torch's own, since the kernel that would be faster does not work"
    return f"{FUSED if fastest(torch.bfloat16) == FUSED else 'not fused, as fused they are'} {found:.1f} times as fast as torch's own"


def _gpu() -> str:
    if not torch.cuda.is_available():
        return f"none that torch can use (torch is built for CUDA {torch.version.cuda or 'none'})"
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return f"{', '.join(names)}, CUDA {torch.version.cuda}"


def _gigaflops() -> float:
    matrix = torch.ones(SIDE, SIDE)
    return 2 * SIDE**3 / seconds_of(lambda: matrix @ matrix) / 1e9


def _memory(name: str) -> int:
    """A line of what Linux says of its memory, in bytes; 0 elsewhere."""
    path = Path("/proc/meminfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def _kept(folder: Path) -> str:
    """What a folder holds, and what is free there."""
    left = f"{size(free(folder))} free"
    if not folder.is_dir():
        return f"not made yet, {left}"
    held = {entry.name: sum(file.stat().st_size for file in entry.rglob("*") if file.is_file()) for entry in sorted(folder.iterdir())}
    return ", ".join([*(f"{name} {size(held[name])}" for name in held), left])
