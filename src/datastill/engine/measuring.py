"""What a job takes on this machine: measured on a few of its steps, not estimated from the speed of another one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean, median

import torch

from datastill.progress import held_up_seconds

STEPS = 2
"""Steps that are measured after the first one, or as many as it takes until they are all alike."""


@dataclass(frozen=True)
class Part:
    """A part of a job that is still to be done.

    Attributes:
        what: In a few words.
        seconds: How long it takes here.
        kept: Bytes that it leaves on the disk.
        where: In which folder, if it is not that of the job.
    """

    what: str
    seconds: float
    kept: int = 0
    where: str = ""


@dataclass(frozen=True)
class Forecast:
    """What a job would take, from a few of its steps.

    Attributes:
        title: What the job is.
        parts: What is to be done, in this order.
        memory: Bytes of memory, as measured; 0 where the system does not say.
        device: Where it runs.
        compiling: Seconds that went into compiling while measuring; what was compiled is kept.
        at_once: Parts that are done at the same time.
    """

    title: str
    parts: tuple[Part, ...]
    memory: int
    device: str
    compiling: float = 0.0
    at_once: int = 1

    @property
    def seconds(self) -> float:
        """How long all of it takes, one part after the other."""
        return sum(part.seconds for part in self.parts)

    @property
    def lasts(self) -> float:
        """How long all of it takes where several parts are done at once, after what is trained first."""
        first = sum(part.seconds for part in self.parts if part.where)
        ends = [first] * max(1, self.at_once)
        for part in self.parts:
            ends[ends.index(min(ends))] += 0 if part.where else part.seconds
        return max(ends)


def forecast(title: str, parts: Callable[[], Sequence[Part]], device: torch.device, *, at_once: int = 1) -> Forecast:
    """Put the parts of a job together, and what measuring them took.

    Args:
        title: What the job is.
        parts: Measures them.
        device: Where it runs.
        at_once: Parts that are done at the same time.
    """
    compiled = held_up_seconds()
    measured = tuple(parts())
    return Forecast(title, measured, memory(device), str(device), held_up_seconds() - compiled, at_once)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with this number of threads for a while; 0 leaves it as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds_of(step: Callable[[], object], *, period: int = 1) -> float:
    """Measure how long a step takes.

    Args:
        step: Takes one; must have ended when it returns. The first one warms up and may compile, so it does not count.
        period: Steps after which their lengths repeat.

    Returns:
        The median; over whole periods their mean.

    Example:
        >>> import time
        >>> 0.001 <= seconds_of(lambda: time.sleep(0.001)) < 1
        True
    """
    step()
    times = [_timed(step) for _ in range(STEPS if period == 1 else period)]
    return median(times) if period == 1 else fmean(times)


def memory(device: torch.device) -> int:
    """Bytes that the process has had in memory at most, on a GPU those of its tensors; 0 where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # there is none on Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def nbytes(tensors: Sequence[torch.Tensor]) -> int:
    """Bytes of some tensors."""
    return sum(tensor.nbytes for tensor in tensors)


def _timed(step: Callable[[], object]) -> float:
    began = time.monotonic()
    step()
    return time.monotonic() - began
