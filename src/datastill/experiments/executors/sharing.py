"""How many cells at once are fastest on this machine: a short measurement, kept in the cache."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from datastill.engine import Engine, Trainer
from datastill.engine.convolution.kept import kept
from datastill.experiments.executors.local import Local, shares
from datastill.experiments.performing import Outcome, Task
from datastill.logs import logger
from datastill.networks import build

log = logger(__name__)

COUNTS = (1, 2, 4, 8)
"""Cells at once that are tried; more need `workers`, as each takes memory of its own."""
GAIN = 1.1
"""How many times the steps per second more cells must have to be worth their memory."""
SECONDS = 3.0
"""How long steps are counted."""
IMAGES, SIDE = 50, 32
PATIENCE = 120.0
"""Seconds that processes may take until they begin to count."""


@dataclass(frozen=True)
class Fastest:
    """`Local` with as many cells at once as are fastest on this machine, but no more than there are."""

    @property
    def cores(self) -> int:
        """Cores of a cell, where there are enough cells."""
        return Local(fastest()).cores

    @property
    def at_once(self) -> int:
        """Cells at once, where there are enough of them."""
        return Local(fastest()).at_once

    def __call__(self, tasks: Iterable[Task]) -> Generator[Outcome]:
        """Run tasks."""
        waiting = iter(tasks)
        first = list(islice(waiting, fastest()))
        yield from Local(max(1, len(first)))(chain(first, waiting))


def fastest(seconds: float = SECONDS, start: str = "spawn") -> int:
    """How many cells at once take the most steps per second together: 1, or 2, 4, 8 with parts of the cores each.

    Training steps of a ConvNet are counted in that many processes at the same time. It is measured once on a machine and kept.

    Args:
        seconds: How long each count takes.
        start: How processes are started, a method of `multiprocessing`.
    """
    cores = len(shares(1)[0])
    counts = [count for count in COUNTS if count <= cores]
    if len(counts) == 1:
        return 1
    names = [f"{count} at once" for count in counts]
    found = kept(f"cells-on-{cores}-cores", names, partial(_measured, counts, names, seconds, start))
    best = counts[0]
    for count, name in zip(counts, names, strict=True):
        if found[name] > GAIN * found[f"{best} at once"]:
            best = count
    said = ", ".join(f"{count}: {found[name]:.1f}" for count, name in zip(counts, names, strict=True))
    log.info("cells at once: %d, as measured on this machine (training steps a second together, by cells at once: %s)", best, said)
    return best


def _measured(counts: list[int], names: list[str], seconds: float, start: str, earlier: Mapping[str, float]) -> dict[str, float]:
    log.info("measuring once how many cells at once are fastest here; this takes half a minute")
    return {name: together(count, seconds, start) for count, name in zip(counts, names, strict=True)}


def together(count: int, seconds: float, start: str) -> float:
    """Training steps per second of some processes together, each on its part of the cores.

    Args:
        count: Processes.
        seconds: How long steps are counted.
        start: As in `fastest`.
    """
    context: Any = multiprocessing.get_context(start)
    barrier, running = context.Barrier(count), dict[Any, Any]()
    for cores in shares(count):
        answers, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_count, args=(cores, seconds, barrier, theirs), daemon=True)
        process.start()
        theirs.close()
        running[answers] = process
    rates, end = list[float](), time.monotonic() + PATIENCE + seconds
    while len(rates) < count:
        ready = wait([*running], timeout=max(0.0, end - time.monotonic()))
        try:
            rates += [answers.recv() for answers in ready if isinstance(answers, Connection)]
        except EOFError:  # one is gone, as where memory runs out
            ready = []
        if not ready:
            log.warning("%d cells at once cannot be measured on this machine", count)
            rates = [0.0] * count
        for answers in ready:
            running.pop(answers).join()
    for process in running.values():
        process.kill()
        process.join()
    return sum(rates)


def _count(cores: frozenset[int], seconds: float, barrier: Any, answers: Connection) -> None:
    """Count steps from the moment when all processes are ready."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    engine = Engine()
    network = engine.place(build("convnet", channels=3, classes=10, size=(SIDE, SIDE)))
    trainer = Trainer(engine, network, learning_rate=0.01, momentum=0.9, weight_decay=0.0)
    images, labels = torch.zeros(IMAGES, 3, SIDE, SIDE), torch.arange(IMAGES) % 10
    trainer.step(images, labels)
    barrier.wait(PATIENCE)
    began, steps = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < seconds:
        trainer.step(images, labels)
        steps += 1
    answers.send(steps / took)
