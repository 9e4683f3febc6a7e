"""The one evaluation protocol: train networks from scratch on a set, test them, repeat."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from datastill import random
from datastill.artifact import TENSOR_FILES, DistilledSet, Origin
from datastill.augment import DSA, families
from datastill.data import ClassImages, DataSet, load
from datastill.data.images import fingerprint
from datastill.engine import Engine, Runner, Trainer
from datastill.errors import UserError, unknown
from datastill.networks import ZOO, build
from datastill.operations import forward_operations
from datastill.predict import predictions
from datastill.progress import Progress, progress
from datastill.protocol import Protocol
from datastill.score import Evaluation, Score
from datastill.tally import Tally, key

log = logging.getLogger(__name__)

COMPARISONS: dict[str, str] = {
    "rendering": "the 8-bit rendering of the set",
    "random": "a random real subset of the same size",
}
"""What a set may be compared with."""


def evaluate(
    distilled: DistilledSet | Path | str,
    *,
    network: str = "convnet",
    repeats: int = 5,
    seed: int = 0,
    split: str = "test",
    data: DataSet | str | None = None,
    compare: Sequence[str] = tuple(COMPARISONS),
    protocol: Protocol | None = None,
    engine: Engine | None = None,
    keep: Path | str | None = None,
) -> Evaluation:
    """Train networks from scratch on a distilled set and test them on real images.

    Args:
        distilled: The set, a run's or set's folder, or a ``.pt`` file of the DC code (then `data` must be named).
        network: A name of `datastill.networks.NETWORKS`; ignored if `protocol` is given.
        repeats: Networks, each with weights of its own.
        seed: The same seed gives the same numbers.
        split: "test" to report, "validation" to choose.
        data: What to test on; by default what the set was distilled from.
        compare: Which of `COMPARISONS` to train on as well, in the same way.
        protocol: How to train; by default the DC protocol.
        engine: How to run; by default what suits the training of one network, so that repeats and comparisons change no figure.
        keep: A file that what is found of every network is kept in. Killed, or asked for more repeats, the same call with the same file
            trains only what is missing. None keeps nothing.

    Returns:
        Mean, deviation, interval, per-class accuracy and confusion matrix, of the set and of each comparison.

    Raises:
        UserError: If the set does not fit the data, or a name is unknown.
    """
    if repeats < 1:
        raise UserError(f"evaluation needs at least one network, got --repeats {repeats}")
    for name in compare:
        if name not in COMPARISONS:
            raise unknown("comparison", name, COMPARISONS)
    protocol = protocol or Protocol(network)
    distilled, data = resolve(distilled, data)
    examined = data.split(split)
    sets = {"set": distilled.expanded()}
    trained_on = len(sets["set"][0])
    if "rendering" in compare:
        sets["rendering"] = distilled.rendered().expanded()
    if "random" in compare:
        sets["random"] = random_subset(data, distilled.labels, seed)
    engine = engine or Engine.choose(operations=operations(data, protocol, trained_on))
    scorer = Scorer(data, examined, protocol, engine, Tally(Path(keep) if keep is not None else None))
    steps = sum(scorer.steps(len(images)) for images, _ in sets.values()) * repeats
    scores = {}
    with progress(f"evaluating {len(sets) * repeats} x {protocol.network}", steps, unit="step") as bar:
        for name, (images, labels) in sets.items():
            scores[name] = scorer.score(images, labels, [(seed, number) for number in range(repeats)], bar)
    return Evaluation(
        scores.pop("set"), scores, protocol, split, seed, data.name, data.class_names, distilled.origin.fingerprint, engine.describe(),
        images=len(distilled), trained_on=trained_on,
    )  # fmt: skip


def evaluate_across(
    distilled: DistilledSet | Path | str,
    networks: Sequence[str] = ZOO,
    *,
    repeats: int = 5,
    seed: int = 0,
    split: str = "test",
    data: DataSet | str | None = None,
    compare: Sequence[str] = (),
    protocol: Protocol | None = None,
    engine: Engine | None = None,
    keep: Path | str | None = None,
) -> dict[str, Evaluation]:
    """Evaluate one set with several kinds of network (the paper's Tables 3 and 4).

    Args:
        distilled: As in `evaluate`.
        networks: Names of `datastill.networks.NETWORKS`.
        repeats: Networks of each kind.
        seed: The same seed gives the same numbers, whichever other kinds are evaluated beside.
        split: "test" to report, "validation" to choose.
        data: As in `evaluate`.
        compare: As in `evaluate`.
        protocol: How to train; its network is replaced by each of `networks`.
        engine: As in `evaluate`, chosen anew for every kind where it leaves a choice.
        keep: As in `evaluate`.

    Returns:
        An evaluation for every network, by its name, in the order given.

    Raises:
        UserError: If a name is unknown or given twice, or as in `evaluate`.
    """
    protocols = {name: replace(protocol or Protocol(), network=name) for name in networks}
    if not protocols or len(protocols) < len(networks):
        raise UserError(f"expected the names of different networks, got '{','.join(networks)}'")
    distilled, data = resolve(distilled, data)
    images = len(distilled) * distilled.origin.factor**2
    found = {}
    for name, chosen in protocols.items():
        suited = engine.suited(operations(data, chosen, images)) if engine else None
        found[name] = evaluate(
            distilled, repeats=repeats, seed=seed, split=split, data=data, compare=compare, protocol=chosen, engine=suited, keep=keep
        )
    return found


class Scorer:
    """Trains networks on sets and tests them, with one network compiled once.

    Args:
        data: Where the images come from.
        examined: What to test on.
        protocol: How to train.
        engine: How to run.
        tally: What was found already, and takes what is found; None keeps nothing.
    """

    def __init__(self, data: DataSet, examined: ClassImages, protocol: Protocol, engine: Engine, tally: Tally | None = None) -> None:
        self.tally, self.tested = tally or Tally(None), fingerprint(examined, data.class_names)
        self.data, self.examined, self.protocol, self.engine = data, examined, protocol, engine
        network = build(protocol.network, channels=data.channels, classes=data.classes, size=data.size)
        self.network = engine.place(network)
        self.trainer = Trainer(
            engine,
            self.network,
            learning_rate=protocol.learning_rate,
            momentum=protocol.momentum,
            weight_decay=protocol.weight_decay,
        )
        self.runner = engine.runner(self.network, ("logits",))
        self.augmentation = DSA(families(flip=data.flip) if protocol.augment else ())

    def steps(self, images: int) -> int:
        """Training steps that one network takes on so many images."""
        return self.protocol.passes * -(-images // self.protocol.batch)

    def score(self, images: Tensor, labels: Tensor, paths: Sequence[tuple[int | str, ...]], bar: Progress | None = None) -> Score:
        """Train and test one network for every path of randomness.

        Args:
            images: Normalised ``image channel height width``.
            labels: ``image``.
            paths: What each network's weights, order and augmentation derive from.
            bar: Counts the training steps.
        """
        confusion = torch.zeros(self.data.classes, self.data.classes, dtype=torch.int64)
        accuracies = []
        for path in paths:
            name = key(images, labels, path, data=self.data, tested=self.tested, protocol=self.protocol, engine=self.engine)
            matrix = self.tally.find(name)
            if matrix is None:
                self._train(images.to(self.engine.device), labels.to(self.engine.device), path, bar)
                matrix = confusion_matrix(self.runner, self.examined, self.data)
                self.tally.keep(name, matrix)
            elif bar:
                bar.skip(self.steps(len(images)))
            accuracies.append(100 * int(matrix.diag().sum()) / len(self.examined))
            confusion += matrix
        return Score(tuple(accuracies), confusion)

    def _train(self, images: Tensor, labels: Tensor, path: tuple[int | str, ...], bar: Progress | None) -> None:
        seed = random.derive(0, "evaluation", *path)
        self.network.reset(random.generator(seed, "weights"))
        self.trainer.set_learning_rate(self.protocol.learning_rate, restart_momentum=True)
        passes = self.protocol.passes
        for epoch in range(passes):
            if epoch == passes // 2:
                self.trainer.set_learning_rate(self.protocol.learning_rate / 10, restart_momentum=True)
            order = torch.randperm(len(images), generator=random.generator(seed, epoch, "order")).to(images.device)
            for number, rows in enumerate(torch.split(order, self.protocol.batch)):
                augmented = self.augmentation.batch(images[rows], random.generator(seed, epoch, number, "augmentation"))
                loss, hits = self.trainer.step(augmented, labels[rows])
                if bar:
                    bar.advance(f"loss {loss:.3f} training accuracy {100 * hits / len(rows):.0f}%")


def confusion_matrix(runner: Runner, examined: ClassImages, data: DataSet) -> Tensor:
    """Count ``true predicted`` of a network on a split, without augmentation."""
    pairs = examined.labels * data.classes + predictions(runner, examined, data)
    return torch.bincount(pairs, minlength=data.classes**2).view(data.classes, data.classes)


def random_subset(data: DataSet, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Draw real training images with the same number per class as a set, normalised, with their labels."""
    counts = torch.bincount(labels, minlength=data.classes).tolist()
    rows = [data.train.draw(label, count, random.generator(seed, label, "random subset")) for label, count in enumerate(counts) if count]
    positions = torch.cat(rows)
    return data.normalise(data.train.gather(positions)), data.train.labels[positions]


def operations(data: DataSet, protocol: Protocol, images: int) -> float:
    """Floating-point operations that training one network on so many images takes."""
    network = build(protocol.network, channels=data.channels, classes=data.classes, size=data.size)
    return 3 * forward_operations(network) * images * protocol.passes


def _origin_data(origin: Origin) -> DataSet:
    try:
        return load(origin.data, validation=origin.held_out)
    except UserError as error:
        raise UserError(f"{error} (what the set was distilled from; if it is elsewhere now, name it with --data)") from error


def resolve(distilled: DistilledSet | Path | str, data: DataSet | str | None) -> tuple[DistilledSet, DataSet]:
    """Load a set and the data it is tested on, normalised as the set is, and check that they fit."""
    given = isinstance(data, DataSet)
    if isinstance(data, str) and (isinstance(distilled, DistilledSet) or Path(distilled).suffix not in TENSOR_FILES):
        distilled = distilled if isinstance(distilled, DistilledSet) else DistilledSet.load(distilled)
        data = load(data, validation=distilled.origin.held_out)
    elif isinstance(data, str):
        data = load(data)
    if not isinstance(distilled, DistilledSet):
        path = Path(distilled)
        if path.suffix in TENSOR_FILES and not path.is_dir():
            if data is None:
                raise UserError(f"{path} does not say what it was distilled from: name it with --data, for example --data cifar10")
            distilled = DistilledSet.load_dc(path, data)
        else:
            distilled = DistilledSet.load(path)
    data = data or _origin_data(distilled.origin)
    shape = (data.channels, *data.size)
    if tuple(distilled.images.shape[1:]) != shape or data.class_names != distilled.origin.class_names:
        raise UserError(
            f"the set ({len(distilled.origin.class_names)} classes, images {tuple(distilled.images.shape[1:])}) does not fit the data set "
            f"{data.name} ({data.classes} classes, images {shape}); name the right one with --data"
        )
    origin = distilled.origin
    if not given and origin.data == data.name and origin.fingerprint != data.fingerprint:
        log.warning(
            "the set was distilled from another training split of %s (other images, or another share held out): "
            "its score on the validation split may include images it was distilled from",
            data.name,
        )
    if (origin.mean, origin.std) != (data.mean, data.std):
        data = replace(data, mean=origin.mean, std=origin.std)
    return distilled, data


__all__ = [
    "COMPARISONS",
    "Evaluation",
    "Protocol",
    "Score",
    "Scorer",
    "confusion_matrix",
    "evaluate",
    "evaluate_across",
    "operations",
    "random_subset",
    "resolve",
]
