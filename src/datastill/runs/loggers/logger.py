"""What every logger does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class RunLogger(Protocol):
    """Takes the figures of a run as they come. What it raises is told in one warning, and it gets nothing more."""

    def begin(self, folder: Path | None, configuration: Mapping[str, Any], done: int) -> None:
        """A run begins or continues.

        Args:
            folder: The run's folder, which the logger may write a folder of its own into; None for a run that keeps nothing.
            configuration: What ``config.yaml`` says: plain values, nested by name.
            done: Iterations that an earlier process took; figures of later ones come again.
        """

    def log(self, iteration: int, figures: Mapping[str, float]) -> None:
        """Figures of an iteration.

        Args:
            iteration: From 1, never falling; a validation, which comes after its iteration, may be of 0.
            figures: The terms and the seconds of a step, or ``validation_accuracy`` in percent.
        """

    def end(self) -> None:
        """The run has ended, in whatever way."""
