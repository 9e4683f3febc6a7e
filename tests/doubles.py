"""What tests put in the place of the machine, or of what takes long: a disk, a compiler, the training of networks."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

from torch import Tensor

from datastill.engine import Trainer


class KilledError(BaseException):
    """What stands for a kill; no code that tells of errors catches it."""


class Disk:
    """Writes what it is given to write until it is filled."""

    def __init__(self) -> None:
        self._error: int | None = None
        self._sync = os.fsync

    def fill(self) -> None:
        """Leave no space."""
        self._error = errno.ENOSPC

    def refuse(self, error: int) -> None:
        """Answer with an error of the system from now on."""
        self._error = error

    def free(self) -> None:
        """Write again."""
        self._error = None

    def sync(self, descriptor: int) -> None:
        """Write what a file holds, or say why not."""
        if self._error is not None:
            raise OSError(self._error, os.strerror(self._error))
        self._sync(descriptor)


class Compiler:
    """What the machine is taken to have for a compiler; nothing is compiled with it."""

    def __init__(self) -> None:
        self._there = True

    def remove(self) -> None:
        """Have none from now on."""
        self._there = False

    def which(self, name: str) -> str | None:
        """Where a program is."""
        return f"/usr/bin/{name}" if self._there and name == "g++" else None


class Training:
    """Watches the training of networks, step by step, and stops it where it is asked to.

    Attributes:
        images: The batches since the last `forget`.
        labels: Of those.
        kill_at: The number of the step, among these, at which everything stops; None for none.
        interrupt_at: The number of the step in the middle of which Ctrl-C is pressed; None for none.
    """

    def __init__(self) -> None:
        self.images: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.kill_at: int | None = None
        self.interrupt_at: int | None = None
        self._step: Callable[..., tuple[float, int]] = Trainer.step

    @property
    def sizes(self) -> list[int]:
        """Images of every batch."""
        return [len(batch) for batch in self.images]

    def forget(self) -> None:
        """Count from here, and stop nowhere."""
        self.images, self.labels = [], []
        self.kill_at = self.interrupt_at = None

    def step(self, trainer: Trainer, images: Tensor, labels: Tensor, *others: str) -> tuple[float, int]:
        """Take a step, unless it is the one to stop at."""
        if len(self.images) == self.kill_at:
            raise KilledError
        if len(self.images) == self.interrupt_at:
            signal.raise_signal(signal.SIGINT)
        self.images.append(images.clone())
        self.labels.append(labels.clone())
        return self._step(trainer, images, labels, *others)
