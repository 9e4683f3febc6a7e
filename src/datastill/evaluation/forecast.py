"""What an evaluation would take, without making it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from datastill.configuration import words
from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.engine.measuring import Forecast, Part, forecast
from datastill.evaluation.evaluate import followed, resolve
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
    protocol: Protocol | str | None = None,
    engine: Engine | None = None,
    robust: bool = False,
) -> Forecast:
    """Measure on a few steps what `datastill.evaluation.evaluate.evaluate_across` would take with the same arguments.

    With `robust`, what `datastill.evaluation.robust.robustness` would take, without the network that is trained on all real images.
    """
    distilled, data = resolve(distilled, data)
    images, labels = distilled.expanded()
    compare = words("compare", compare)
    chosen, count = engine or Engine.choose(), repeats * (1 + len({*compare, "random"} if robust else compare))

    def measured(network: str) -> list[Part]:
        trained = followed(replace(Protocol.given(protocol), network=network), distilled)
        suited = chosen.suited(training_cost(data, trained, len(images)))
        ways = [(trained, count + repeats * (robust and distilled.label_kind != HARD))]
        ways += [(replace(trained, augment=False), 2 * repeats)] if robust else []
        return [
            evaluation_part(data, way, images, labels, networks=number, split=split, engine=suited, label_kind=distilled.label_kind)
            for way, number in ways
        ]

    title = f"evaluating {len(distilled)} images of {data.name}"
    return forecast(title, lambda: [part for network in networks for part in measured(network)], chosen.device)
