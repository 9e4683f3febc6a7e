"""Which moments of a training run are kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import torch

from datastill.configuration import check_fields
from datastill.errors import UserError

TYPES = {"float16": torch.float16, "float32": torch.float32}
"""In which numbers weights are kept."""


@dataclass(frozen=True)
class Snapshots:
    """Which moments of a training run are kept, and in which numbers. The first weights and the last are always kept.

    Attributes:
        every: Epochs from one snapshot to the next.
        early: How many of the first epochs are kept in finer steps.
        parts: Snapshots of each of these epochs.
        type: "float16", half the size and good to three decimal digits, or "float32", exact.

    Example:
        >>> Snapshots(every=2, early=1, parts=4).moments(epochs=5, steps=8)
        (0, 2, 4, 6, 8, 16, 32, 40)
    """

    every: int = 1
    early: int = 2
    parts: int = 4
    type: str = "float16"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.every < 1 or self.early < 0 or self.parts < 1:
            raise UserError(
                f"snapshots need every and parts of at least 1 and early of at least 0, got {self.every}, {self.parts} and {self.early}"
            )
        if self.type not in TYPES:
            raise UserError(f"snapshots are kept as {' or '.join(TYPES)}, got the type '{self.type}'")

    def moments(self, epochs: int, steps: int) -> tuple[int, ...]:
        """The steps after which weights are kept, in order.

        Args:
            epochs: Of the run.
            steps: Of an epoch.
        """
        rough = {epoch * steps for epoch in range(0, epochs, self.every)} | {epochs * steps}
        fine = {round(part * steps / self.parts) for part in range(min(self.early, epochs) * self.parts + 1)}
        return tuple(sorted(rough | fine))

    def key(self) -> str:
        """A short hash of every field."""
        return hashlib.blake2b(json.dumps(asdict(self), sort_keys=True).encode(), digest_size=4).hexdigest()
