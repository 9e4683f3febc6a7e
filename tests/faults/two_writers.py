"""Two processes at one piece of work, one of which may be killed: one after the other, or one is refused in a line; nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from datastill.errors import UserError
from faults.campaign import Campaign, Outcome
from faults.works import WORKS, expected

DONE, REFUSED, WRONG = 0, 2, 3
SECONDS = 60.0
"""Within which two processes have ended."""
SHARED = ("run", "teachers", "evaluation")
"""What two processes may be told to do in one place; an export is refused where something is."""
WAITING = ("teachers",)
"""What the second process waits for instead of being refused."""


def _work(name: str, folder: Path, delay: float) -> None:
    """Do it in a process of its own, and end with what came of it."""
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115  # progress of two processes is of no use
    time.sleep(delay)
    try:
        code = DONE if WORKS[name].do(folder) == expected(name) else WRONG
    except UserError as error:
        code = REFUSED if "is in use by process" in str(error) else WRONG
    os._exit(code)


def _two(name: str) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        chance = random.Random(seed)
        whole, context = expected(name), multiprocessing.get_context("fork")
        began = time.monotonic()
        delays = (0.0, chance.choice((0.0, chance.uniform(0, 0.5))))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork of a process with threads, which hold no lock of ours
            processes = [context.Process(target=_work, args=(name, folder, delay)) for delay in delays]
            for process in processes:
                process.start()
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, 1.0))
            victim = processes[chance.randrange(2)]
            if victim.pid is not None and victim.is_alive():
                os.kill(victim.pid, signal.SIGKILL)
        for process in processes:
            process.join(max(0.0, began + SECONDS - time.monotonic()))
            if process.is_alive():
                process.kill()
                return Outcome.HUNG
        codes = [process.exitcode for process in processes]
        if not set(codes) <= {DONE, REFUSED, -signal.SIGKILL} or (name in WAITING and REFUSED in codes):
            return Outcome.WRONG
        WORKS[name].intact(folder)
        if WORKS[name].do(folder) != whole or list(folder.rglob(".datastill-*.partial")):
            return Outcome.WRONG
        return Outcome.RESUMED if -signal.SIGKILL in codes else Outcome.REFUSED if REFUSED in codes else Outcome.UNCHANGED

    return trial


CAMPAIGNS = tuple(
    Campaign(f"two-{name}", f"two processes begin while {WORKS[name].doing}, and one may be killed", _two(name), short=3, long=200)
    for name in SHARED
)
