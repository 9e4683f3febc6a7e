"""The command in several processes that torchrun started: they share one run, and say every line once."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from datastill.errors import UserError

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

SHARED = ("distill", "resume")
"""The commands that processes can share."""
NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun puts into the environment."""
TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others in a step: the first one may compile, and the first process writes checkpoints."""
TOGETHER = 5.0
"""Seconds that a process which fails waits for others to fail as well: torchrun ends those that are left."""


def count() -> int:
    """How many processes share the command; 1 without torchrun."""
    if any(name not in os.environ for name in NEEDED) or not os.environ["WORLD_SIZE"].isdigit():
        return 1
    return int(os.environ["WORLD_SIZE"])


def first() -> bool:
    """Whether this is the process that speaks."""
    return count() == 1 or os.environ["RANK"] == "0"


@contextlib.contextmanager
def joined(arguments: Sequence[str]) -> Iterator[None]:
    """Join the processes that torchrun started, if it did; all but the first say nothing in the block.

    Args:
        arguments: The words of the command line.

    Raises:
        UserError: If the command cannot be shared, or the processes do not find one another.
    """
    if count() == 1:
        yield
        return
    command = next(iter(arguments), "")
    if command in SHARED and "--dry-run" in arguments:
        raise UserError("--dry-run measures a single process: leave torchrun out")
    if command not in SHARED and not command.startswith("-"):
        raise UserError(f"only {' and '.join(SHARED)} can be shared by the processes of torchrun: start `datastill.{command}` without it")
    _join()
    from torch import distributed

    from datastill.runs.sharing import silence

    with contextlib.ExitStack() as quiet:
        if not first():
            quiet.enter_context(silence())
            quiet.enter_context(contextlib.redirect_stdout(io.StringIO()))
        yield
    distributed.destroy_process_group()


def _join() -> None:
    """Initialise ``torch.distributed``: nccl between GPUs, of which every process takes its own, and gloo between processors."""
    import torch
    from torch import distributed

    backend, here = "gloo", int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if torch.cuda.is_available():
        if here > torch.cuda.device_count():
            raise UserError(
                f"{here} processes need a GPU each, but there are {torch.cuda.device_count()}: start fewer, or hide the GPUs with "
                f"CUDA_VISIBLE_DEVICES="
            )
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        backend = "cpu:gloo,cuda:nccl"
    try:
        distributed.init_process_group(backend, timeout=TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"the processes of torchrun do not find one another ({str(error).splitlines()[0]})") from error


def once(line: str, *, unless_said: bool = False) -> bool:
    """Whether this process is the first one to say a line, and so the one that should.

    Args:
        line: What it would say.
        unless_said: Whether another process need only have said anything at all.
    """
    if count() == 1:
        return True
    if "torch" not in sys.modules:
        return first()
    store = _store()
    if store is None:
        return first()
    new = store.add(hashlib.blake2b(line.encode(), digest_size=16).hexdigest(), 1) == 1
    alone = store.add("said", 1) == 1
    return alone if unless_said else new


def fail_together() -> None:
    """Wait a little for the other processes to fail as well, so that each has its own exit code."""
    store = _store() if count() > 1 and "torch" in sys.modules else None
    if store is None:
        return
    failed, began = store.add("failed", 1), time.monotonic()
    while failed < count() and time.monotonic() - began < TOGETHER:
        time.sleep(0.05)
        failed = store.add("failed", 0)


def _store() -> Store | None:
    """What all processes can write to, even where their group is broken; None if it cannot be reached."""
    from torch._C._distributed_c10d import PrefixStore, TCPStore

    try:
        store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False, timeout=timedelta(seconds=TOGETHER))
        return PrefixStore(f"datastill/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    except (RuntimeError, ValueError):
        return None
