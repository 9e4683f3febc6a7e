"""What a figure of embeddings says, and what one of its cells leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datastill.analysis import Analysis
from datastill.experiments.application import ApplicationExperiment, ApplicationRecord
from datastill.experiments.cell import EmbeddingCell
from datastill.teachers.recipe import RECIPES, TrainingRecipe


@dataclass(frozen=True, kw_only=True)
class EmbeddingExperiment(ApplicationExperiment):
    """A panel for every set: its images among real ones, by t-SNE, and how far they are spread.

    Attributes:
        network: Whose embedding.
        recipe: How it is trained.
        real: Real images of every class.
    """

    network: str = "resnet18"
    recipe: TrainingRecipe = field(default_factory=lambda: RECIPES["fast"])
    real: int = 100

    def cell(self, fields: Mapping[str, Any]) -> EmbeddingCell:
        """One set."""
        return EmbeddingCell(**fields, network=self.network, recipe=self.recipe, real=self.real)


@dataclass(frozen=True, kw_only=True)
class EmbeddingRecord(ApplicationRecord):
    """A set among real images.

    Attributes:
        analysis: What was found.
    """

    cell: EmbeddingCell
    analysis: Analysis
