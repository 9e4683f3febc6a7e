"""What an experiment on privacy says, and what one of its cells leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from datastill.experiments.application import ApplicationExperiment, ApplicationRecord
from datastill.experiments.cell import PrivacyCell
from datastill.experiments.privacy.inference import GRID, Attack

LEAST_MODELS, LEAST_POOL, LEAST_AUDIT = 8, 500, 20
"""What a rehearsal has at least, where the experiment has more."""


@dataclass(frozen=True, kw_only=True)
class PrivacyExperiment(ApplicationExperiment):
    """Membership inference on networks trained on sets, on real images and on random subsets.

    Attributes:
        pool: Training images; 0 for all (see `datastill.membership_inference`, also for the others).
        audit: Mislabelled images that are attacked; 0 for all of the pool.
        models: Sets.
    """

    pool: int = 0
    audit: int = 0
    models: int = 32

    def cell(self, fields: Mapping[str, Any]) -> PrivacyCell:
        """One way to make sets."""
        return PrivacyCell(**fields, pool=self.pool, audit=self.audit, models=self.models)

    def rehearsal(self, title: str, factor: float) -> Self:
        """Also with fewer sets, and fewer images to make them from and to attack, as far as an attack can be made."""
        smaller = super().rehearsal(title, factor)
        return replace(
            smaller,
            models=max(min(self.models, LEAST_MODELS), 2 * round(self.models * factor / 2)),
            pool=max(min(self.pool, LEAST_POOL), round(self.pool * factor)),
            audit=max(min(self.audit, LEAST_AUDIT), round(self.audit * factor)),
        )


@dataclass(frozen=True, kw_only=True)
class PrivacyRecord(ApplicationRecord):
    """What both attacks reached.

    Attributes:
        attacks: By name.
        accuracies: Top-1 in percent of the network of every set.
        members: Images of what is attacked that a set is made from.
        others: Those that it is not made from.
    """

    cell: PrivacyCell
    attacks: dict[str, Attack]
    accuracies: tuple[float, ...]
    members: int
    others: int

    def __post_init__(self) -> None:
        for attack in self.attacks.values():
            shares = (*attack.auc, *attack.true_positives, *attack.curve)
            if {len(attack.auc), len(attack.true_positives)} != {self.cell.models} or len(attack.curve) != len(GRID):
                raise ValueError(f"expected an attack on {self.cell.models} networks, with {len(GRID)} points of a curve")
            if any(not 0 <= share <= 1 for share in shares):
                raise ValueError("expected shares from 0 to 1")
        if len(self.accuracies) != self.cell.models or any(not 0 <= value <= 100 for value in self.accuracies):
            raise ValueError(f"expected {self.cell.models} accuracies in percent, got {self.accuracies}")
