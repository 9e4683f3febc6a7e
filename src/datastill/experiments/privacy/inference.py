"""Membership inference on networks that were trained on sets: `datastill.membership_inference`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from datastill.configuration import seed as checked_seed
from datastill.configuration import words
from datastill.data import DataSet, load
from datastill.data.images import fingerprint
from datastill.data.notebook import table
from datastill.engine import Engine, Runner
from datastill.engine.inference import BLOCK
from datastill.errors import UserError, require
from datastill.evaluation import Protocol
from datastill.evaluation.ledger import key
from datastill.evaluation.scorer import Scorer, training_cost
from datastill.experiments.cell import REAL
from datastill.experiments.privacy.worlds import Worlds
from datastill.experiments.training_sets import Recipe, TrainingSet, make
from datastill.files import check_folder, check_tensors, load_tensors, locked, save_tensors
from datastill.functional import confidence, likelihood_ratios
from datastill.logs import logger
from datastill.progress import progress

log = logger(__name__)

FALSE_POSITIVES = 0.001
"""The share of false positives at which true ones are counted."""
MOST = 100
"""Epochs on real images at most, unless a protocol says otherwise."""
LOSS, RATIO = "loss threshold", "likelihood ratio"
GRID = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of false positives that a curve is kept at."""


@dataclass(frozen=True)
class Attack:
    """How well an attack tells members from others.

    Attributes:
        auc: Area under the curve of true over false positives for the network of every set; 0.5 is guessing.
        true_positives: Share of the members that are found at most `FALSE_POSITIVES` of the others taken for members, as above.
        curve: Mean share of members that are found at each of `GRID`.
    """

    auc: tuple[float, ...]
    true_positives: tuple[float, ...]
    curve: tuple[float, ...]


@dataclass(frozen=True)
class Privacy:
    """What `membership_inference` finds.

    Attributes:
        attacks: By name: `LOSS` and `RATIO`.
        accuracies: Top-1 in percent of the network of every set on the split that it is tested on.
        members: Images of what is attacked that a set is made from.
        others: Those that it is not made from.
        images: Of a set.
        engine: How networks were trained.
        beside: The same of what it is compared with, by name.
    """

    attacks: dict[str, Attack]
    accuracies: tuple[float, ...]
    members: int
    others: int
    images: int
    engine: dict[str, Any]
    beside: dict[str, Privacy] = field(default_factory=dict)

    def __repr__(self) -> str:
        found = (f"{name}: AUC {fmean(attack.auc):.3f}" for name, attack in self.attacks.items())
        return f"<{'; '.join(found)}; accuracy {fmean(self.accuracies):.2f}%>"

    def _repr_html_(self) -> str:
        """A table of the attacks."""
        rows = [
            [made, name, f"{fmean(one.auc):.3f}", f"{100 * fmean(one.true_positives):.2f}"]
            for made, found in {"set": self, **self.beside}.items()
            for name, one in found.attacks.items()
        ]
        return table(repr(self)[1:-1], ["networks on", "attack", "AUC", "true positives %"], rows)


def membership_inference(
    data: DataSet | str | Any,
    *,
    method: str = "dm+iid",
    ipc: int = 50,
    pool: int = 0,
    audit: int = 0,
    models: int = 32,
    iterations: int | None = None,
    seed: int = 0,
    split: str = "test",
    out: Path | str | None = None,
    preset: str = "paper",
    settings: Sequence[str] = (),
    beside: Sequence[str] = (REAL, "random"),
    protocol: Protocol | str | None = None,
    real_protocol: Protocol | str | None = None,
    engine: Engine | None = None,
) -> Privacy:
    """Attack networks that were trained on sets, to find which real images the sets were made from.

    Every set is made from half of a pool of training images, and one network is trained on each. The attacks are by a threshold on the
    loss of an image, and by the ratio of its likelihoods with and without membership, from the other networks as shadow models. Each
    network is attacked once. With `audit`, only images under a wrong label are attacked, which is the stricter test: nothing but
    membership explains that a network agrees with such a label.

    Args:
        data: All that `datastill.load` takes.
        method: What makes the sets, or "real" to train on the real images themselves.
        ipc: Images per class of each set; 0, for "real" alone, is all.
        pool: Training images that sets are made from; 0 is all of them.
        audit: How many images of the pool are mislabelled and attacked; 0 attacks all, under their own labels.
        models: How many sets, an even number of at least 8.
        iterations: Steps of distilling; None for the default.
        seed: Of all draws.
        split: What the networks are tested on.
        out: A folder that keeps the runs of all sets and what their networks say. The same call with the same folder continues after a
            kill. None keeps nothing.
        preset: Which published values the method has.
        settings: Changes to them.
        beside: What else is attacked in the same way: "real" for networks on all real images of a half, without which an attack that finds
            nothing says nothing, and methods with their published values, such as "random". Empty for nothing.
            With a large pool, training networks on the real images takes most of the time.
        protocol: How networks are trained on the sets, or its name; by default the DC protocol.
        real_protocol: How they are trained on real images, of which there are many more; by default the same with at most 100 epochs.
        engine: How to run; by default what suits each job.

    Returns:
        Both attacks, the accuracy of the networks, and the same of what is beside.

    Raises:
        UserError: If anything given is unknown or does not fit together, or another process is at work in `out`.

    Reference:
        Carlini et al.: Membership Inference Attacks From First Principles, S&P 2022, arXiv:2112.03570; with mislabelled images Aerni,
        Zhang, Tramer: Evaluations of Machine Learning Privacy Defenses are Misleading, CCS 2024, arXiv:2404.17399.
    """
    worlds = Worlds(load(data), pool, audit, models, checked_seed(seed))
    recipe = Recipe(method, ipc, iterations, preset, words("settings", settings))
    trained = Protocol.given(protocol)
    inference = Inference(worlds, recipe, trained, split, engine)
    usual = Protocol(trained.network) if trained.called == "dd" else trained  # those steps fit no other images
    fewer = replace(usual, epochs=min(usual.epochs or MOST, MOST))
    others = dict[str, Inference]()
    for name in words("beside", beside):
        if name == REAL:
            others[name] = Inference(worlds, Recipe(REAL, 0), Protocol.given(real_protocol, fewer), split, engine)
        else:
            others[name] = Inference(worlds, Recipe(name, ipc or 1, iterations, preset), usual, split, engine)
    for each in (inference, *others.values()):
        each.check()
    others = {name: each for name, each in others.items() if ipc and name != method}  # all real images have nothing of their size beside

    def attacks(folder: Path | None) -> Privacy:
        found = inference.attack(folder)
        return replace(found, beside={name: each.attack(folder / name if folder else None) for name, each in others.items()})

    if out is None:
        return attacks(None)
    check_folder(Path(out))
    with locked(Path(out), f"the sets in {out}"):
        return attacks(Path(out))


@dataclass(frozen=True)
class Inference:
    """What `membership_inference` was asked for.

    Attributes:
        worlds: What every set is made from.
        recipe: How.
        protocol: How networks are trained on the sets.
        split: What they are tested on.
        engine: How to run; None for what suits each job.
    """

    worlds: Worlds
    recipe: Recipe
    protocol: Protocol
    split: str
    engine: Engine | None

    def check(self) -> None:
        """Refuse what cannot work before the first set."""
        require("sklearn", "membership inference", "analysis")
        self.worlds.data.split(self.split)
        for model in (0, 1):
            self.recipe.check(self.worlds.read(model), self.protocol)

    def attack(self, folder: Path | None) -> Privacy:
        """Make what is missing, train, and attack."""
        worlds, found, images = self.worlds, list[dict[str, Tensor]](), 0
        first = worlds.read(0)
        engine = self.engine_of(first)
        with progress(f"{worlds.models} sets and networks", worlds.models, unit="set") as bar:
            for model in range(worlds.models):
                data = worlds.read(model) if model else first
                made = make(self.recipe, data, worlds.seed, folder / f"set{model + 1}" if folder else None, self.engine)
                images = made.stored
                found.append(self._answers(made, data, model, folder / f"set{model + 1}.answers" if folder else None, engine))
                bar.advance(f"accuracy {_accuracy(found[-1]['confusion']):.1f}%")
        members = torch.stack([worlds.members(model) for model in range(worlds.models)])
        losses, confidences = (torch.stack([each[name] for each in found]).double() for name in ("loss", "confidence"))
        attacks = {LOSS: attacked(-losses, members), RATIO: attacked(likelihood_ratios(confidences, members), members)}
        inside = int(members[0].sum())
        accuracies = tuple(_accuracy(each["confusion"]) for each in found)
        return Privacy(attacks, accuracies, inside, members.shape[1] - inside, images, engine.describe())

    def engine_of(self, data: DataSet) -> Engine:
        """What networks are trained with."""
        cost = training_cost(data, self.protocol, self.recipe.images(data))
        return self.engine.suited(cost) if self.engine else Engine.choose(cost=cost)

    def _answers(self, made: TrainingSet, data: DataSet, model: int, path: Path | None, engine: Engine) -> dict[str, Tensor]:
        """What the network of a set says of every image that is attacked, and of the split that it is tested on."""
        worlds, examined = self.worlds, data.split(self.split)
        protocol = self.protocol.resolved(made.stored / data.classes, data.classes, made.numbers)
        trained = (worlds.seed, model)
        name = key(
            made.images, made.labels, trained, data=data, tested=f"{fingerprint(examined, data.class_names)} {worlds.data.fingerprint}",
            protocol=protocol, engine=engine, label_kind=made.label_kind,
        )  # fmt: skip
        if path is not None and path.exists() and (kept := _kept(path, name, len(examined.counts), len(worlds.attacked))):
            return kept
        scorer = Scorer(data, examined, protocol, engine)
        score = scorer.score(made.images, made.labels, [trained], label_kind=made.label_kind, learned_rate=made.learned_rate)
        runner = Runner(engine, scorer.network.eval(), ("logits",))
        rows = worlds.positions[worlds.attacked]
        train, place = worlds.data.train, engine.device
        with torch.no_grad():
            parts = [runner(data.normalise(train.gather(block).to(place))).logits.cpu() for block in torch.split(rows, BLOCK)]
        logits = torch.cat(parts)
        labels = worlds.labels[worlds.attacked]
        answers = {
            "confusion": score.confusion,
            "loss": torch.nn.functional.cross_entropy(logits, labels, reduction="none"),
            "confidence": confidence(logits, labels),
        }
        if path is not None:
            save_tensors(path, answers, {"network": name})
        return answers


def attacked(scores: Tensor, members: Tensor) -> Attack:
    """How well scores tell members from others, network by network.

    Args:
        scores: Larger where membership is more likely, ``model image``.
        members: Whether it is one, as above.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    areas, rates, curves = [], [], []
    for score, member in zip(scores.numpy(), members.numpy(), strict=True):
        false, true, _ = roc_curve(member, score, drop_intermediate=False)
        areas.append(float(roc_auc_score(member, score)))
        rates.append(float(true[false <= FALSE_POSITIVES].max()))
        curves.append([float(true[false <= share].max()) for share in GRID])
    return Attack(tuple(areas), tuple(rates), tuple(map(fmean, zip(*curves, strict=True))))


def _kept(path: Path, name: str, classes: int, attacked: int) -> dict[str, Tensor] | None:
    """The answers in a file, if they are those of that network, to as many images; otherwise its network is trained again."""
    try:
        answers, text = load_tensors(path)
        if text.get("network") != name:
            return None
        expected = {"confusion": torch.empty(classes, classes, dtype=torch.int64)}
        check_tensors(answers, expected | dict.fromkeys(("loss", "confidence"), torch.empty(attacked)), str(path))
    except UserError as error:
        log.warning("%s; its network will be trained again", error)
        return None
    return answers


def _accuracy(confusion: Tensor) -> float:
    return 100 * int(confusion.diag().sum()) / max(1, int(confusion.sum()))
