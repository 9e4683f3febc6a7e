"""Real and synthetic images in the embedding of a network that was trained on the real ones: `datastill.analyse`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datastill import random
from datastill.analysis.plane import plane
from datastill.configuration import seed as checked_seed
from datastill.configuration import whole
from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine, Runner
from datastill.errors import require
from datastill.evaluation.evaluate import resolve
from datastill.functional import covariance_distance, scatter
from datastill.networks import Features, build, concatenate
from datastill.teachers.pretraining import pretrain
from datastill.teachers.recipe import RECIPES, TrainingRecipe

BLOCK = 256
"""Images that are sent through the network at a time."""


@dataclass(frozen=True)
class Scatter:
    """How far embeddings are spread (see `datastill.functional.scatter`).

    Attributes:
        within: Mean squared distance of an image from the mean of its class.
        between: Mean squared distance of the mean of an image's class from the mean of all.
    """

    within: float
    between: float

    @property
    def ratio(self) -> float:
        """Within over between; smaller where classes are further apart."""
        return self.within / self.between if self.between else float("inf")


@dataclass(frozen=True)
class Analysis:
    """What `analyse` finds.

    Attributes:
        network: Whose embedding it is.
        accuracy: Of the network in percent, on the validation split or, without one, on its training images.
        class_names: One per class.
        real: Scatter of the real images.
        synthetic: Scatter of the synthetic ones, the parts of stored images counted.
        mean_distance: Root of the mean over classes of the squared distance between the real and the synthetic mean, in units of the root
            of the real scatter within classes.
        covariance_distance: Mean over classes of `datastill.functional.covariance_distance` of the network's last maps; None where a class
            has a single synthetic image, or one of its real images.
        real_plane: Two coordinates of every real image, by t-SNE of both kinds together.
        real_labels: Their classes.
        synthetic_plane: As of real ones.
        synthetic_labels: Their classes.
        engine: How it was run.
    """

    network: str
    accuracy: float
    class_names: tuple[str, ...]
    real: Scatter
    synthetic: Scatter
    mean_distance: float
    covariance_distance: float | None
    real_plane: tuple[tuple[float, float], ...]
    real_labels: tuple[int, ...]
    synthetic_plane: tuple[tuple[float, float], ...]
    synthetic_labels: tuple[int, ...]
    engine: dict[str, Any]

    def numbers(self) -> dict[str, float | None]:
        """The numbers by name: those of a table."""
        return {
            "within_real": self.real.within,
            "between_real": self.real.between,
            "ratio_real": self.real.ratio,
            "within_synthetic": self.synthetic.within,
            "between_synthetic": self.synthetic.between,
            "ratio_synthetic": self.synthetic.ratio,
            "mean_distance": self.mean_distance,
            "covariance_distance": self.covariance_distance,
        }

    def __repr__(self) -> str:
        return f"<{', '.join(f'{name} {value:.3g}' for name, value in self.numbers().items() if value is not None)}>"


def analyse(
    distilled: DistilledSet | Path | str,
    *,
    network: str = "resnet18",
    recipe: TrainingRecipe | None = None,
    real: int = 100,
    data: DataSet | str | Any | None = None,
    seed: int = 0,
    engine: Engine | None = None,
) -> Analysis:
    """Compare a set with real images in the embedding of a network that was trained on the real images.

    Args:
        distilled: A set, or what `datastill.evaluate` takes.
        network: A name that `datastill.networks.network_type` takes; ResNet18 in the paper. It is found in the cache, or trained first.
        recipe: How it is trained; by default "fast" of `datastill.teachers.recipe.RECIPES`.
        real: Real training images of every class, or all of a class that has fewer; at least 2.
        data: The data set; by default what the set was distilled from.
        seed: Of the draw of real images and of t-SNE; the same seed gives the same coordinates on the same machine.
        engine: How to run; by default what suits the network's training.

    Returns:
        Scatter, distances and coordinates.

    Raises:
        UserError: If the set does not fit the data, or a name is unknown.

    Reference:
        IID, CVPR 2024, Figures 1 and 3. van der Maaten, Hinton: Visualizing Data using t-SNE, JMLR 2008.
    """
    require("sklearn", "analysing a set", "analysis")
    real, seed = whole("real", real, least=2), checked_seed(seed)
    distilled, data = resolve(distilled, data)
    model = build(network, channels=data.channels, classes=data.classes, size=data.size)
    (trained,) = pretrain(data, network, 1, recipe or RECIPES["fast"], engine or Engine.choose(cost=0))
    engine = engine or Engine.choose(cost=0)
    model.take(trained.weights)
    runner = Runner(engine, engine.place(model.eval()), ("map", "embedding"))
    positions = torch.cat(
        [
            data.train.draw(label, min(real, count), random.generator(seed, label, "images of an analysis"))
            for label, count in enumerate(data.train.counts)
            if count
        ]
    )
    images, _ = distilled.expanded()
    labels = distilled.made_of.repeat_interleave(distilled.origin.factor**2)
    real_labels = data.train.labels[positions]
    found = _features(runner, data.normalise(data.train.gather(positions)))
    made = _features(runner, images)
    coordinates = plane(torch.cat([found.embedding, made.embedding]), random.derive(seed, "t-SNE"))
    pairs = tuple((float(x), float(y)) for x, y in coordinates.tolist())
    own = Scatter(*map(float, scatter(found.embedding, real_labels)))
    return Analysis(
        network=network,
        accuracy=trained.accuracy,
        class_names=data.class_names,
        real=own,
        synthetic=Scatter(*map(float, scatter(made.embedding, labels))),
        mean_distance=_mean_distance(found.embedding, real_labels, made.embedding, labels) / max(own.within, 1e-12) ** 0.5,
        covariance_distance=_covariance_distance(found.map, real_labels, made.map, labels),
        real_plane=pairs[: len(positions)],
        real_labels=tuple(real_labels.tolist()),
        synthetic_plane=pairs[len(positions) :],
        synthetic_labels=tuple(labels.tolist()),
        engine=engine.describe(),
    )


def _features(runner: Runner, images: Tensor) -> Features:
    with torch.no_grad():
        parts = [runner(block.to(runner.engine.device)) for block in torch.split(images, BLOCK)]
    return concatenate(parts).apply(lambda value: value.cpu())


def _mean_distance(real: Tensor, real_labels: Tensor, synthetic: Tensor, labels: Tensor) -> float:
    shared = sorted(set(real_labels.tolist()) & set(labels.tolist()))
    distances = [(real[real_labels == label].mean(0) - synthetic[labels == label].mean(0)).square().sum() for label in shared]
    return float(torch.stack(distances).mean().sqrt())


def _covariance_distance(real: Tensor, real_labels: Tensor, synthetic: Tensor, labels: Tensor) -> float | None:
    shared = sorted(set(real_labels.tolist()) & set(labels.tolist()))
    pairs = [(real[real_labels == label], synthetic[labels == label]) for label in shared]
    if any(min(len(one), len(other)) < 2 for one, other in pairs):
        return None
    return float(torch.stack([covariance_distance(one, other) for one, other in pairs]).mean())
