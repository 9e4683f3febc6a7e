"""What an evaluation would take, without making it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.engine.measuring import Forecast, Part, forecast
from datastill.evaluation.evaluate import resolve
from datastill.evaluation.protocol import Protocol
from datastill.evaluation.scorer import Scorer, training_cost
from datastill.labels import HARD


def evaluation_part(
    data: DataSet,
    protocol: Protocol,
    images: Tensor,
    labels: Tensor,
    *,
    networks: int,
    split: str,
    engine: Engine,
    label_kind: str = HARD,
) -> Part:
    """Measure how long it takes to train networks on a set and test them.

    Args:
        data: Where the images come from.
        protocol: How the networks are trained.
        images: Normalised ``image channel height width``.
        labels: As in `Scorer.seconds`.
        networks: How many, those of comparisons included.
        split: What they are tested on.
        engine: How to run.
        label_kind: As in `Scorer.seconds`.
    """
    seconds = Scorer(data, data.split(split), protocol, engine).seconds(images, labels, label_kind)
    what = f"{networks} x {protocol.network} on {len(images)} images, {protocol.passes} epochs, {split} split"
    return Part(what, networks * seconds)


def forecast_evaluation(
    distilled: DistilledSet | Path | str,
    networks: Sequence[str] = ("convnet",),
    *,
    repeats: int = 5,
    split: str = "test",
    data: DataSet | str | Any | None = None,
    compare: Sequence[str] = (),
    protocol: Protocol | None = None,
    engine: Engine | None = None,
) -> Forecast:
    """Measure on a few steps what `datastill.evaluation.evaluate.evaluate_across` would take with the same arguments."""
    distilled, data = resolve(distilled, data)
    images, labels = distilled.expanded()
    chosen, count = engine or Engine.choose(), repeats * (1 + len(compare))

    def measured(network: str) -> Part:
        trained = replace(protocol or Protocol(), network=network).resolved(len(distilled.images) / data.classes, data.classes)
        suited = chosen.suited(training_cost(data, trained, len(images)))
        return evaluation_part(data, trained, images, labels, networks=count, split=split, engine=suited, label_kind=distilled.label_kind)

    title = f"evaluating {len(distilled)} images of {data.name}"
    return forecast(title, lambda: [measured(network) for network in networks], chosen.device)
