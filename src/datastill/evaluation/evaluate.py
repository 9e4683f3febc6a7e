"""The one evaluation protocol: train networks from scratch on a set, test them, repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datastill import random
from datastill.configuration import seed as checked_seed
from datastill.configuration import whole, words
from datastill.data import DataSet, load
from datastill.data.whitening import whitened
from datastill.distilled import FOREIGN_FILES, DistilledSet, Origin
from datastill.engine import Engine
from datastill.errors import UserError, unknown
from datastill.evaluation.ledger import opened
from datastill.evaluation.protocol import Protocol
from datastill.evaluation.score import COMPARISONS, Evaluation
from datastill.evaluation.scorer import Scorer, rate, training_cost
from datastill.labels import HARD
from datastill.logs import logger
from datastill.networks import ZOO
from datastill.progress import progress

log = logger(__name__)


def evaluate(
    distilled: DistilledSet | Path | str,
    *,
    network: str = "convnet",
    repeats: int = 5,
    seed: int = 0,
    split: str = "test",
    data: DataSet | str | Any | None = None,
    compare: Sequence[str] = tuple(COMPARISONS),
    protocol: Protocol | str | None = None,
    engine: Engine | None = None,
    keep: Path | str | None = None,
) -> Evaluation:
    """Train networks from scratch on a distilled set and test them on real images.

    Args:
        distilled: The set, a run's or set's folder, or a file made by other code, as in `DistilledSet.load_foreign` (then `data` must
            be named).
        network: A name of `datastill.networks.NETWORKS`; ignored if `protocol` is a `Protocol`, which has its own.
        repeats: Networks, each with its own weights.
        seed: The same seed gives the same numbers.
        split: "test" to report, "validation" to choose.
        data: What to test on, all that `datastill.load` takes; by default what the set was distilled from.
        compare: Which of `COMPARISONS` to train on as well, in the same way.
        protocol: How to train, a `Protocol` or the name of one, such as "idc", which keeps `network`; by default the DC protocol.
        engine: How to run; by default what suits the training of one network, so that repeats and comparisons change no number.
        keep: A file that keeps the result of every network. After a kill, or with more repeats, the same call with the same file trains
            only what is missing. None keeps nothing.

    Returns:
        Mean, deviation, interval, per-class accuracy and confusion matrix, of the set and of each comparison.

    Raises:
        UserError: If the set does not fit the data, a name is unknown, or `keep` cannot be written or is in use by another process.
    """
    repeats, seed = whole("repeats", repeats, least=1), checked_seed(seed)
    compare = words("compare", compare)
    for name in compare:
        if name not in COMPARISONS:
            raise unknown("comparison", name, COMPARISONS)
    protocol = Protocol.given(protocol, Protocol(network))
    distilled, data = resolve(distilled, data)
    protocol = followed(protocol, distilled)
    examined = data.split(split)
    own: dict[str, Any] = {"label_kind": distilled.label_kind, "learned_rate": distilled.learning_rate}
    rate(protocol, distilled.learning_rate)  # one that cannot be used is told at once
    sets = {"set": (*distilled.expanded(), own)}
    trained_on = len(sets["set"][0])
    if "rendering" in compare:
        sets["rendering"] = (*distilled.rendered().expanded(), own)
    if "random" in compare:
        sets["random"] = (*random_subset(data, distilled.made_of, seed), {})  # real images have hard labels and no learned rate
    engine = engine or Engine.choose(cost=training_cost(data, protocol, trained_on))
    scores = {}
    with opened(Path(keep) if keep is not None else None) as ledger:
        scorer = Scorer(data, examined, protocol, engine, ledger)
        steps = sum(scorer.steps(len(images)) for images, _, _ in sets.values()) * repeats
        with progress(f"evaluating {len(sets) * repeats} x {protocol.network}", steps, unit="step") as bar:
            for name, (images, labels, options) in sets.items():
                scores[name] = scorer.score(images, labels, ((seed, number) for number in range(repeats)), bar, **options)
    return Evaluation(
        scores.pop("set"), scores, protocol, split, seed, data.name, data.class_names, distilled.origin.fingerprint, engine.describe(),
        images=len(distilled.images), trained_on=trained_on, label_kind=distilled.label_kind,
        learned_rate=distilled.learning_rate if protocol.takes_learned else None,
        made=distilled.origin.made,
    )  # fmt: skip


def evaluate_across(
    distilled: DistilledSet | Path | str,
    networks: Sequence[str] = ZOO,
    *,
    repeats: int = 5,
    seed: int = 0,
    split: str = "test",
    data: DataSet | str | Any | None = None,
    compare: Sequence[str] = (),
    protocol: Protocol | str | None = None,
    engine: Engine | None = None,
    keep: Path | str | None = None,
) -> dict[str, Evaluation]:
    """Evaluate one set with several kinds of network (the paper's Tables 3 and 4).

    Args:
        distilled: As in `evaluate`.
        networks: Names of `datastill.networks.NETWORKS`.
        repeats: Networks of each kind.
        seed: The same seed gives the same numbers, whichever other kinds are evaluated with it.
        split: "test" to report, "validation" to choose.
        data: As in `evaluate`.
        compare: As in `evaluate`.
        protocol: How to train, or its name; its network is replaced by each of `networks`.
        engine: As in `evaluate`, chosen again for every kind where it leaves a choice.
        keep: As in `evaluate`.

    Returns:
        An evaluation for every network, by its name, in the order given.

    Raises:
        UserError: If a name is unknown or given twice, or as in `evaluate`.
    """
    networks = words("networks", networks)
    protocols = {name: replace(Protocol.given(protocol), network=name) for name in networks}
    if not protocols or len(protocols) < len(networks):
        raise UserError(f"expected different networks, got '{','.join(networks)}'")
    distilled, data = resolve(distilled, data)
    images = len(distilled)
    found = {}
    for name, chosen in protocols.items():
        trained = followed(chosen, distilled)
        suited = engine.suited(training_cost(data, trained, images)) if engine else None
        found[name] = evaluate(
            distilled, repeats=repeats, seed=seed, split=split, data=data, compare=compare, protocol=chosen, engine=suited, keep=keep
        )
    return found


def followed(protocol: Protocol, distilled: DistilledSet) -> Protocol:
    """A protocol with what depends on a set.

    Raises:
        UserError: As in `Protocol.resolved`, or if learned steps do not fit the images or the labels of the set.
    """
    classes = len(distilled.origin.class_names)
    found = protocol.resolved(distilled.ipc, classes, distilled.numbers)
    if found.steps and (
        distilled.label_kind != HARD
        or distilled.origin.factor > 1
        or not torch.equal(distilled.labels, torch.arange(classes).repeat_interleave(int(distilled.ipc)))
    ):
        raise UserError(
            "the protocol 'dd' takes sets with hard labels, equally many images of every class in order, and images without parts: use 'dc'"
        )
    return found


def random_subset(data: DataSet, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Draw real training images with the same number per class as a set, normalised, with their labels."""
    counts = torch.bincount(labels, minlength=data.classes).tolist()
    rows = [data.train.draw(label, count, random.generator(seed, label, "random subset")) for label, count in enumerate(counts) if count]
    positions = torch.cat(rows)
    return data.normalise(data.train.gather(positions)), data.train.labels[positions]


def _origin_data(origin: Origin) -> DataSet:
    try:
        return load(origin.data, validation=origin.held_out)
    except UserError as error:
        raise UserError(f"{error} (what the set was distilled from; if it has moved, give it with `data`)") from error


def resolve(distilled: DistilledSet | Path | str, data: DataSet | str | Any | None) -> tuple[DistilledSet, DataSet]:
    """Load a set and the data it is tested on, normalised as the set is, and check that they fit."""
    given = isinstance(data, DataSet)
    if data is not None and not given and (isinstance(distilled, DistilledSet) or Path(distilled).suffix not in FOREIGN_FILES):
        distilled = distilled if isinstance(distilled, DistilledSet) else DistilledSet.load(distilled)
        data = load(data, validation=distilled.origin.held_out)
    elif data is not None:
        data = load(data)
    if not isinstance(distilled, DistilledSet):
        path = Path(distilled)
        if path.suffix in FOREIGN_FILES and not path.is_dir():
            if data is None:
                raise UserError(f"{path} does not say what it was distilled from: give it with `data`, for example `data=cifar10`")
            distilled = DistilledSet.load_foreign(path, data)
        else:
            distilled = DistilledSet.load(path)
    data = data or _origin_data(distilled.origin)
    shape = (data.channels, *data.size)
    found, names = tuple(distilled.images.shape[1:]), distilled.origin.class_names
    if found != shape or data.class_names != names:
        pairs = zip(names, data.class_names, strict=False)
        renamed = next((f"; its class '{its}' is '{one}' in the set" for one, its in pairs if one != its), "")
        alike = found == shape and len(names) == data.classes
        raise UserError(
            f"the set ({len(names)} classes, images {found}) does not fit the data set {data.name} ({data.classes} classes, "
            f"images {shape}{renamed if alike else ''}); give the right one with `data`"
        )
    origin = distilled.origin
    if not given and origin.data == data.name and origin.fingerprint != data.fingerprint:
        log.warning(
            "the set was distilled from another training split of %s (other images, or another share held out): "
            "what is held out now may include images it was distilled from",
            data.name,
        )
    return distilled, _normalised(data, origin)


def _normalised(data: DataSet, origin: Origin) -> DataSet:
    """A data set normalised as a set is."""
    known = origin.whitening
    if known and data.whitening is None and data.fingerprint == known.images:
        whitened(data.train, data.fingerprint, epsilon=known.epsilon)  # in the cache, whatever name these images have
    same = known == data.whitened_by and (origin.mean, origin.std) == (data.mean, data.std)
    return data if same else data.normalised_by(origin.normalisation)
