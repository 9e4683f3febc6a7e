"""Uses of a set that have cells and pages of their own: what their specifications and records share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments.cell import REAL, ApplicationCell
from datastill.experiments.record import Maker


@dataclass(frozen=True)
class SetRow:
    """One set of an application.

    Attributes:
        method: In the grammar of `datastill.method`, or `datastill.experiments.cell.REAL`.
        settings: Changes to the published values.
        label: What the row is called where a method alone does not tell it; also its folder.
        ipc: Images per class; None for the experiment's. 0, for real images alone, is all.
        iterations: Steps of distilling; None for the experiment's, 0 for a method that has its own number.
        epochs: Of the networks trained on it; None for the experiment's.
    """

    method: str
    settings: tuple[str, ...] = ()
    label: str = ""
    ipc: int | None = None
    iterations: int | None = None
    epochs: int | None = None

    @property
    def name(self) -> str:
        """What tells the row from the others."""
        return self.label or self.method


@dataclass(frozen=True, kw_only=True)
class ApplicationExperiment(ABC):
    """A use of sets: a row for each set, and a cell for each seed.

    Attributes:
        title: What it shows.
        data: In the grammar of `datastill.load`.
        rows: The sets.
        iterations: Steps of distilling.
        ipc: Images per class.
        seeds: Of all draws.
        repeats: Networks of each kind.
        protocol: How they are trained on the sets.
        preset: Which published values.
        split: What networks are tested on.
        policy: Precision and compilation of every cell; what is left open is settled once, by the largest job.
        remark: What else a reader must know.

    Raises:
        UserError: If there is nothing to run, or a row is there twice.
    """

    title: str
    data: str
    rows: tuple[SetRow, ...]
    iterations: int
    ipc: int
    seeds: tuple[int, ...] = (0,)
    repeats: int = 1
    protocol: Protocol = field(default_factory=Protocol)
    preset: str = "paper"
    split: str = "test"
    policy: Policy = field(default_factory=Policy)
    remark: str = ""

    def __post_init__(self) -> None:
        for what, values in (("row", [row.name for row in self.rows]), ("seed", self.seeds)):
            if not values or len(set(values)) < len(values):
                raise UserError(f"'{self.title}' needs at least one {what}, each once, got {list(values)}")

    @abstractmethod
    def cell(self, fields: Mapping[str, Any]) -> ApplicationCell:
        """A cell of this application with the fields that all share."""

    def cells(self, name: str, experiments: Mapping[str, object]) -> tuple[ApplicationCell, ...]:
        """Expand to cells (see `datastill.experiments.Experiment.cells`)."""
        return tuple(cell for row in self.rows for cell in self.cells_of(name, row))

    def cells_of(self, name: str, row: SetRow) -> tuple[ApplicationCell, ...]:
        """The cells of one row, one for every seed."""
        given = self.iterations if row.iterations is None else row.iterations
        common: dict[str, Any] = {
            "data": self.data, "method": row.method, "ipc": self.ipc if row.ipc is None else row.ipc, "preset": self.preset,
            "iterations": 0 if row.method == REAL else given, "settings": row.settings, "repeats": self.repeats, "split": self.split,
            "protocol": self.protocol if row.epochs is None else replace(self.protocol, epochs=row.epochs), "policy": self.policy,
        }  # fmt: skip
        return tuple(self.cell({"name": f"{name}/{row.name}/seed{seed}", "seed": seed, **common}) for seed in self.seeds)

    def rehearsal(self, title: str, factor: float) -> Self:
        """The same with a fraction of its iterations, epochs, networks and seeds (see `datastill.experiments.scale.scaled`)."""

        def less(number: int) -> int:
            return max(1, round(number * factor))

        rows = tuple(
            replace(row, iterations=row.iterations and less(row.iterations), epochs=row.epochs and less(row.epochs)) for row in self.rows
        )
        return replace(
            self,
            title=title,
            rows=rows,
            iterations=less(self.iterations),
            seeds=self.seeds[: less(len(self.seeds))],
            repeats=less(self.repeats),
            protocol=replace(self.protocol, epochs=less(self.protocol.passes)),
        )


@dataclass(frozen=True, kw_only=True)
class ApplicationRecord:
    """What the records of all applications share.

    Attributes:
        cell: What was asked for.
        fingerprint: Of the training split.
        class_names: One per class.
        train: Its real images.
        images: Of the set, or of each set.
        method: The method's description, as in the run's ``config.yaml``; empty for real images.
        distilled_by: How the set was distilled.
        evaluated_by: How the networks were trained on it.
    """

    cell: ApplicationCell
    fingerprint: str
    class_names: tuple[str, ...]
    train: int
    images: int
    method: dict[str, Any]
    distilled_by: Maker
    evaluated_by: Maker
