"""What a figure of embeddings says, and what one of its cells leaves behind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
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

    def __post_init__(self) -> None:
        found, classes = self.analysis, range(len(self.class_names))
        if found.class_names != self.class_names:
            raise ValueError(f"expected an analysis of {len(classes)} classes, got one of {len(found.class_names)} or of others")
        for plane, labels in ((found.real_plane, found.real_labels), (found.synthetic_plane, found.synthetic_labels)):
            if len(plane) != len(labels) or not set(labels) <= set(classes):
                raise ValueError(f"expected a class from 0 to {classes[-1]} for each of {len(plane)} images, got {len(labels)}")
        scatter = (found.real.within, found.real.between, found.synthetic.within, found.synthetic.between)
        distances = (found.mean_distance, 0.0 if found.covariance_distance is None else found.covariance_distance)
        if (
            not all(map(math.isfinite, chain(scatter, distances, *found.real_plane, *found.synthetic_plane)))
            or not 0 <= found.accuracy <= 100
        ):
            raise ValueError("expected numbers that are finite, and an accuracy in percent")
