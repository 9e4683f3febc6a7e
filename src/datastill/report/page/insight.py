"""What a network trained on the real images says of distilled ones: its score, the nearest real image, a map."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine, Runner
from datastill.engine.inference import BLOCK
from datastill.errors import UserError
from datastill.evaluation.evaluate import resolve
from datastill.files import check_tensors, checksum, load_tensors, save_tensors
from datastill.labels import HARD
from datastill.logs import logger
from datastill.networks import build
from datastill.progress import progress
from datastill.teachers.pretraining import pretrain
from datastill.teachers.recipe import RECIPES

log = logger(__name__)

NETWORK, RECIPE = "convnet", "fast"
"""What looks at the images: the first network of this pool, which +cc and +iid read too."""
POINTS = 600
"""Real images on the map, drawn at random, as many of every class."""
FILE = Path("report") / "insight.safetensors"
"""Where a run keeps it."""
TENSORS = ("score", "predicted", "distance", "nearest", "nearest_label", "points", "real_points", "real_labels")


@dataclass(frozen=True, eq=False)
class Insight:
    """What the network says of a set.

    Attributes:
        score: float32 ``image``, the probability in [0, 1] that it gives an image's own class.
        predicted: int64 ``image``, the class that it sees.
        distance: float32 ``image``, to the nearest real image, between embeddings, in units of the mean distance of real images from
            their mean.
        nearest: uint8 ``image channel height width``, that real image.
        nearest_label: int64 ``image``, its class.
        points: float32 ``image 2``, where an image is on the map.
        real_points: float32 ``real 2``.
        real_labels: int64 ``real``.
        network: What looked, in words.
        explained: The shares of the variance of the real embeddings that the two axes of the map hold.
    """

    score: Tensor
    predicted: Tensor
    distance: Tensor
    nearest: Tensor
    nearest_label: Tensor
    points: Tensor
    real_points: Tensor
    real_labels: Tensor
    network: str
    explained: tuple[float, float]

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name."""
        return {name: getattr(self, name) for name in TENSORS}


def insights(
    sets: Sequence[tuple[DistilledSet, Path | None]], *, look: bool, engine: Engine | None = None
) -> list[tuple[Insight | None, str]]:
    """What is kept of earlier looks at sets; the others are looked at now, and what was found is kept in the folders of their runs.

    Args:
        sets: Each with the folder of its run; None keeps nothing.
        look: Whether to look at sets at which nothing has looked yet: this reads their data, and may train a network.
        engine: How to run; by default what suits the training of the network.

    Returns:
        For every set what was found, or None and why not.
    """
    found: list[tuple[Insight | None, str]] = [(_kept(distilled, folder), "") for distilled, folder in sets]
    lacking = [place for place, (insight, _) in enumerate(found) if insight is None]
    groups: dict[tuple[object, ...], list[int]] = {}
    for place in lacking:
        origin = sets[place][0].origin
        groups.setdefault((origin.data, origin.fingerprint, origin.mean, origin.std, origin.whitening, origin.held_out), []).append(place)
    for places in groups.values():
        if not look:
            outcome: list[tuple[Insight | None, str]] = [(None, "left out with --quick")] * len(places)
        else:
            outcome = _looked_at([sets[place][0] for place in places], engine)
        for place, (insight, why) in zip(places, outcome, strict=True):
            found[place] = (insight, why)
            keep(insight, *sets[place])
    return found


def _looked_at(sets: Sequence[DistilledSet], engine: Engine | None) -> list[tuple[Insight | None, str]]:
    try:
        data = resolve(sets[0], None)[1]
    except UserError as error:
        return [(None, f"the real images could not be read: {error}")] * len(sets)
    if data.fingerprint != sets[0].origin.fingerprint:
        return [(None, f"{data.name} has other training images now than those that it was distilled from")] * len(sets)
    return [(insight, "") for insight in look_at(sets, data, engine or Engine.choose())]


def look_at(sets: Sequence[DistilledSet], data: DataSet, engine: Engine) -> list[Insight]:
    """Look at sets of one data set with one network, in one pass over the real images.

    Where an image has parts, its score and its embedding are the means of its parts'. The map is the plane through the mean of the real
    embeddings in which they vary most (principal components); synthetic images are projected on it, so maps of several sets agree.

    Args:
        sets: Normalised as the data set is.
        data: Its training split is what the nearest image is looked for in.
        engine: How to run.
    """
    trained = pretrain(data, NETWORK, 1, RECIPES[RECIPE], engine)[0]
    model = engine.place(build(NETWORK, channels=data.channels, classes=data.classes, size=data.size))
    model.take(trained.weights)
    model.eval()
    runner = Runner(engine, model, ("embedding", "logits"))

    def embedded(images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            parts = [runner(part.to(engine.device)) for part in torch.split(images, BLOCK)]
        embeddings, logits = (
            torch.cat([getattr(part, name).flatten(1).float().cpu() for part in parts]) for name in ("embedding", "logits")
        )
        return embeddings, logits.softmax(1)

    averaged = [[value.view(len(each.images), -1, value.shape[1]).mean(1) for value in embedded(each.expanded()[0])] for each in sets]
    synthetic = torch.cat([embedding for embedding, _ in averaged])
    rows = _sample(data)
    real, _ = embedded(data.normalise(data.train.gather(rows)))
    centre, axes, explained = _plane(real)
    unit = float((real - centre).norm(dim=1).mean()) or 1.0
    distance, nearest = _nearest(synthetic, data, embedded)
    network = (
        f"a {NETWORK} trained on the {len(data.train)} real images for {RECIPES[RECIPE].epochs} epochs ({trained.accuracy:.1f}% right)"
    )
    found, begin = [], 0
    for distilled, (embedding, probabilities) in zip(sets, averaged, strict=True):
        own = slice(begin, begin + len(embedding))
        begin += len(embedding)
        found.append(
            Insight(
                score=probabilities.gather(1, distilled.made_of[:, None])[:, 0],
                predicted=probabilities.argmax(1),
                distance=distance[own] / unit,
                nearest=data.train.gather(nearest[own]),
                nearest_label=data.train.labels[nearest[own]],
                points=(embedding - centre) @ axes / unit,
                real_points=(real - centre) @ axes / unit,
                real_labels=data.train.labels[rows],
                network=network,
                explained=explained,
            )
        )
    return found


def _sample(data: DataSet) -> Tensor:
    """Where the real images of the map stand in the training split."""
    each = max(1, POINTS // data.classes)
    drawn = [
        data.train.draw(label, min(each, count), random.generator(0, label, "map"))
        for label, count in enumerate(data.train.counts)
        if count
    ]
    return torch.cat(drawn[:POINTS])


def _plane(embeddings: Tensor) -> tuple[Tensor, Tensor, tuple[float, float]]:
    """The mean of embeddings, ``feature``; the two axes of most variance, ``feature 2``; and the shares of it that they hold."""
    centre = embeddings.mean(0)
    _, spread, axes = torch.linalg.svd(embeddings - centre, full_matrices=False)
    axes = axes[:2] * axes[:2].gather(1, axes[:2].abs().argmax(1, keepdim=True)).sign()  # either sign is right: always the same one
    shares = (spread.square() / spread.square().sum().clamp(min=1e-12))[:2].tolist()
    return centre, axes.T, (shares[0], shares[-1])


def _nearest(synthetic: Tensor, data: DataSet, embedded: Callable[[Tensor], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """For every synthetic embedding the distance to the nearest real one and where that stands in the training split."""
    distance = torch.full((len(synthetic),), torch.inf)
    nearest = torch.zeros(len(synthetic), dtype=torch.int64)
    blocks = torch.split(torch.arange(len(data.train)), BLOCK)
    with progress("looking for the nearest real images", len(blocks), unit="block") as bar:
        for block in blocks:
            found, _ = embedded(data.normalise(data.train.gather(block)))
            least, row = torch.cdist(synthetic, found).min(1)
            closer = least < distance
            distance[closer], nearest[closer] = least[closer], block[row[closer]]
            bar.advance("")
    return distance, nearest


def keep(insight: Insight | None, distilled: DistilledSet | None, folder: Path | None) -> None:
    """Keep what was found of a set in the folder of its run; nothing where one of them is missing."""
    if insight is None or distilled is None or folder is None:
        return
    text = {"set": _identity(distilled), "network": insight.network, "explained": json.dumps(insight.explained)}
    save_tensors(folder / FILE, insight.tensors(), text)


def _kept(distilled: DistilledSet, folder: Path | None) -> Insight | None:
    """What was kept, if it is of this set and intact."""
    path = folder / FILE if folder is not None else None
    if path is None or not path.is_file():
        return None
    try:
        tensors, text = load_tensors(path)
        if text.get("set") != _identity(distilled):
            return None
        first, second = json.loads(text["explained"])
        return Insight(**_checked(tensors, distilled, path), network=text["network"], explained=(float(first), float(second)))
    except (UserError, ValueError, TypeError, KeyError, RecursionError) as error:
        log.warning("%s; it is made again", error if isinstance(error, UserError) else f"{path} is damaged")
        return None


def _checked(tensors: Mapping[str, Tensor], distilled: DistilledSet, path: Path) -> dict[str, Tensor]:
    """The tensors of a file that were written for a set, with the shapes that they must have."""
    count, classes = len(distilled.images), len(distilled.origin.class_names)
    real = len(tensors["real_labels"])
    expected = {
        **dict.fromkeys(("score", "distance"), torch.empty(count)),
        **dict.fromkeys(("predicted", "nearest_label"), torch.empty(count, dtype=torch.int64)),
        "nearest": torch.empty(distilled.images.shape, dtype=torch.uint8),
        "points": torch.empty(count, 2),
        "real_points": torch.empty(real, 2),
        "real_labels": torch.empty(real, dtype=torch.int64),
    }
    check_tensors(tensors, expected, str(path))
    labels = torch.cat([tensors[name] for name in ("predicted", "nearest_label", "real_labels")])
    score, distance = tensors["score"], tensors["distance"]
    if not bool(((labels >= 0) & (labels < classes)).all()) or not bool(((score >= 0) & (score <= 1) & (distance >= 0)).all()):
        raise UserError(f"{path} is damaged: it has classes, shares or distances that cannot be")
    return dict(tensors)


def _identity(distilled: DistilledSet) -> str:
    classes = {} if distilled.label_kind == HARD else {"classes": distilled.made_of}
    return checksum({"images": distilled.images, "labels": distilled.labels, **classes}, {"fingerprint": distilled.origin.fingerprint})
