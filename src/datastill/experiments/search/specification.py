"""What an experiment on architecture search says, and what one of its cells leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from datastill.experiments.application import ApplicationExperiment, ApplicationRecord
from datastill.experiments.cell import SearchCell

LEAST = 8
"""Architectures of a rehearsal at least, where the experiment has more."""


@dataclass(frozen=True, kw_only=True)
class SearchExperiment(ApplicationExperiment):
    """Rankings of architectures, one for every set, beside that of the row `datastill.experiments.cell.REAL`.

    Attributes:
        architectures: How many of the grid are trained.
        widest: Channels of those with the most.
    """

    architectures: int = 720
    widest: int = 256
    split: str = "validation"

    def cell(self, fields: Mapping[str, Any]) -> SearchCell:
        """One set, on which all are trained."""
        return SearchCell(**fields, architectures=self.architectures, widest=self.widest)

    def rehearsal(self, title: str, factor: float) -> Self:
        """Also with fewer architectures, as far as they can be ranked."""
        fewer = max(min(self.architectures, LEAST), round(self.architectures * factor))
        return replace(super().rehearsal(title, factor), architectures=fewer)


@dataclass(frozen=True, kw_only=True)
class SearchRecord(ApplicationRecord):
    """What every architecture reached on one set.

    Attributes:
        accuracies: Top-1 in percent of every network, by architecture.
        seconds: What this process spent on the networks; those found from before a kill took none of it.
    """

    cell: SearchCell
    accuracies: dict[str, tuple[float, ...]]
    seconds: float

    def __post_init__(self) -> None:
        if len(self.accuracies) != self.cell.architectures:
            raise ValueError(f"expected {self.cell.architectures} architectures, got {len(self.accuracies)}")
        for values in self.accuracies.values():
            if len(values) != self.cell.repeats or any(not 0 <= value <= 100 for value in values):
                raise ValueError(f"expected {self.cell.repeats} accuracies in percent, got {values}")
