"""Memory: how much there is, what is refused because it can never fit, what is said when it is exhausted, and buffers kept."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

import torch

from datastill.errors import UserError
from datastill.provenance import address_space

CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says what a container may use."""
ALLOCATORS = ("DefaultCPUAllocator", "not enough memory", "can't allocate memory", "bad_alloc", "out of memory")
"""What PyTorch says, in a RuntimeError, when it gets no memory."""

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Of ``mallopt``: from how many bytes on a buffer is mapped apart, and how many free ones at the end of the heap are returned."""
MAPPED_FROM, KEPT = 2**25, 2**29
"""The most that glibc allows for the first; and far more than the buffers of a micro-batch."""
CONFIGURED = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""How the names of environment variables begin that configure the allocator, or may bring another one."""


@cache
def keep_buffers() -> bool:
    """Have the C library keep freed buffers for the next ones, once a process, and say whether it does.

    By default glibc returns most buffers of a micro-batch to the system, which clears the pages of the next ones: a fifth of the time of a
    training step. Other C libraries, and an allocator that the environment configures, are left as they are.
    """
    if any(name.startswith(CONFIGURED) for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    return bool(mallopt(MMAP_THRESHOLD, MAPPED_FROM)) and bool(mallopt(TRIM_THRESHOLD, KEPT))


def available(device: torch.device) -> int:
    """Bytes of memory of a device, in use or not; of a CPU as far as this process may use them, and 0 where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type != "cpu":
        return 0
    bounds = [_physical(), *(_limit(path) for path in CGROUPS), address_space()]
    return min((bound for bound in bounds if bound > 0), default=0)


def check_memory(needed: int, device: torch.device, what: str, lower: str) -> None:
    """Refuse what cannot fit into memory, before it is filled: a system may end a process that asks for too much instead of telling it.

    Args:
        needed: Bytes that it takes at least.
        device: Where.
        what: What takes them.
        lower: What to do.

    Raises:
        UserError: If the device has less.
    """
    bound = available(device)
    if bound and needed > bound:
        raise UserError(f"{what} take at least {_size(needed)}, but there are {_size(bound)} of memory: {lower}")


def exhausted(error: BaseException) -> bool:
    """Whether an exception says that there is no memory left."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(said in str(error) for said in ALLOCATORS)
    )


def _size(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count < 1e15 else f"{count / 1e15:.3g} million GB"


def _physical() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _limit(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max" is no limit
        return 0
