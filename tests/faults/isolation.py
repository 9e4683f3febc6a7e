"""Trials in a process of their own, which may die or hang without ending the others."""

from __future__ import annotations

import importlib
import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from faults.campaign import Campaign, Outcome, Trial, attempt

PATIENCE = 120.0
"""Seconds that a process may take to start."""


class Worker:
    """A process that makes one trial after another; a new one takes its place when it dies or hangs.

    Args:
        registry: The module whose ``CAMPAIGNS`` has the campaigns by name.
    """

    def __init__(self, registry: str) -> None:
        self.registry = registry
        self.context = multiprocessing.get_context("spawn")
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def attempt(self, campaign: Campaign, seed: int) -> Trial:
        """Make one trial."""
        try:
            self.ours.send((campaign.name, seed))
            if not self.ours.poll(campaign.seconds):
                self._restart()
                return Trial(seed, Outcome.HUNG, f"no answer after {campaign.seconds:g} seconds")
            found: Trial = self.ours.recv()
        except (EOFError, OSError):
            self.process.join(1)
            note = f"exit code {self.process.exitcode}"
            self._restart()
            return Trial(seed, Outcome.DIED, note)
        return found

    def _start(self) -> None:
        self.ours, theirs = self.context.Pipe()
        self.process = self.context.Process(target=_work, args=(theirs, self.registry))
        self.process.start()
        theirs.close()
        if not self.ours.poll(PATIENCE):
            raise RuntimeError("the process of the trials does not start")
        self.ours.recv()

    def _end(self) -> None:
        self.ours.close()
        self.process.kill()
        self.process.join()

    def _restart(self) -> None:
        self._end()
        self._start()


def trials(campaign: Campaign, seeds: range, registry: str = "faults.registry") -> Iterator[Trial]:
    """Make the trials of some seeds."""
    with Worker(registry) as worker:
        for seed in seeds:
            yield worker.attempt(campaign, seed)


def _work(connection: Connection, registry: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # before anything imports torch
    connection.send("ready")
    while True:
        try:
            name, seed = connection.recv()
        except EOFError:
            return
        connection.send(attempt(importlib.import_module(registry).CAMPAIGNS[name], seed))
