"""Ranking architectures by training them on a small set: `datastill.architecture_search`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from datastill import random
from datastill.configuration import seed as checked_seed
from datastill.configuration import whole, words
from datastill.data import DataSet, load
from datastill.data.notebook import table
from datastill.engine import Engine
from datastill.errors import UserError, require
from datastill.evaluation import Protocol
from datastill.evaluation.ledger import opened
from datastill.evaluation.scorer import Scorer, training_cost
from datastill.experiments.cell import REAL
from datastill.experiments.training_sets import Recipe, TrainingSet, make
from datastill.files import check_folder, locked
from datastill.networks import build, grid
from datastill.networks.variants import ConvNetChoices
from datastill.progress import progress

TOPS = (5, 10, 20)
"""Of how many architectures the literature gives the correlation, beside all."""


@dataclass(frozen=True)
class Correlation:
    """How alike two rankings of architectures are.

    Attributes:
        count: Architectures that are ranked.
        value: Spearman's rank correlation, ties by mean ranks; None where one of the two ranks nothing, all accuracies being equal.
        low: Lower end of its 95% interval; None for fewer than four architectures.
        high: Upper end.
    """

    count: int
    value: float | None
    low: float | None
    high: float | None


def correlation(proxy: Sequence[float], real: Sequence[float]) -> Correlation:
    """Spearman's rank correlation of two lists of accuracies, with its interval.

    The interval is that of Fisher's z with the standard error ``sqrt((1 + r^2 / 2) / (n - 3))``.

    Reference:
        Bonett, Wright: Sample size requirements for estimating Pearson, Kendall and Spearman correlations, Psychometrika 2000.

    Example:
        >>> correlation([1.0, 2.0, 3.0], [10.0, 30.0, 20.0]).value
        0.5
    """
    from scipy.stats import spearmanr

    if len(proxy) < 2 or len(set(proxy)) < 2 or len(set(real)) < 2:
        return Correlation(len(proxy), None, None, None)
    value = round(float(spearmanr(proxy, real).statistic), 12)
    if len(proxy) < 4:
        return Correlation(len(proxy), value, None, None)
    z, error = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, value))), 1.96 * math.sqrt((1 + value**2 / 2) / (len(proxy) - 3))
    return Correlation(len(proxy), value, math.tanh(z - error), math.tanh(z + error))


def correlations(proxy: Mapping[str, float], real: Mapping[str, float]) -> dict[str, Correlation]:
    """The correlation over the architectures that are best on real images, 5, 10 and 20 of them, and over all.

    Args:
        proxy: Accuracies by the names of architectures, on a set.
        real: On real images, of the same ones.
    """
    best = sorted(real, key=lambda name: (-real[name], name))
    tops = {f"top {count}": best[:count] for count in TOPS if count < len(best)}
    return {
        what: correlation([proxy[name] for name in names], [real[name] for name in names]) for what, names in (*tops.items(), ("all", best))
    }


def sample(count: int, widest: int = 256) -> tuple[str, ...]:
    """Architectures of the grid: the first of an order that is drawn once and for all, so that more of them contain the fewer.

    Args:
        count: How many.
        widest: The most channels that one may have.

    Raises:
        UserError: If the grid has fewer.
    """
    fitting = [name for name in grid() if (choices := ConvNetChoices.named(name)) is not None and choices.width <= widest]
    count = whole("architectures", count, least=2, most=len(fitting)) if len(fitting) > 1 else count
    if len(fitting) < 2:
        raise UserError(f"no architecture of the grid has {widest} channels or fewer: the narrowest have 32")
    order = torch.randperm(len(fitting), generator=random.generator(0, "architectures of the grid"))
    return tuple(fitting[row] for row in order[:count].tolist())


@dataclass(frozen=True)
class Ranking:
    """What `architecture_search` finds.

    Attributes:
        accuracies: Top-1 in percent of every network, by set and by architecture; `REAL` is the real training images.
    """

    accuracies: Mapping[str, Mapping[str, tuple[float, ...]]]

    def means(self, name: str) -> dict[str, float]:
        """Mean accuracy of every architecture on a set."""
        return {architecture: fmean(values) for architecture, values in self.accuracies[name].items()}

    def correlations(self, name: str) -> dict[str, Correlation]:
        """With the ranking on real images (see `correlations`)."""
        return correlations(self.means(name), self.means(REAL))

    def best(self, name: str) -> str:
        """The architecture that a set ranks first."""
        means = self.means(name)
        return max(means, key=lambda architecture: means[architecture])

    def __repr__(self) -> str:
        found = {name: self.correlations(name)["all"].value for name in self.accuracies if name != REAL}
        return f"<{'; '.join(f'{name}: {value if value is None else round(value, 2)}' for name, value in found.items())}>"

    def _repr_html_(self) -> str:
        """A table of the correlations."""
        sets = [name for name in self.accuracies if name != REAL]
        found = {name: self.correlations(name) for name in sets}
        head = list(found[sets[0]]) if sets else []
        rows = [[name, *("" if (value := found[name][what].value) is None else f"{value:.2f}" for what in head)] for name in sets]
        return table("Spearman correlation with real images", ["set", *head], rows)


def architecture_search(
    data: DataSet | str | Any,
    *,
    methods: Sequence[str] = ("random", "dm+iid"),
    ipc: int = 10,
    architectures: int | Sequence[str] = 720,
    iterations: int | None = None,
    seed: int = 0,
    repeats: int = 1,
    split: str = "validation",
    real: int = 0,
    out: Path | str | None = None,
    preset: str = "paper",
    protocol: Protocol | str | None = None,
    real_protocol: Protocol | str | None = None,
    engine: Engine | None = None,
) -> Ranking:
    """Rank architectures by training them on small sets, and compare with training them on real images.

    Args:
        data: All that `datastill.load` takes.
        methods: What makes the sets. `random` has the same size, and its networks take the same time: it is the one to beat.
        ipc: Images per class of each set.
        architectures: Names that `datastill.networks.network_type` takes, or how many of the grid of 720 ConvNets to draw.
        iterations: Steps of distilling, for methods that have no number of their own.
        seed: Of all draws but the architectures.
        repeats: Networks of every architecture.
        split: What they are tested on; searching is choosing, so the validation split by default.
        real: Real images per class that the reference is trained on; 0 is all.
        out: A folder that keeps sets and what every network reached. The same call with the same folder continues after a kill.
        preset: Which published values the methods have.
        protocol: How networks are trained on the sets, or its name; by default the DC protocol with 200 epochs, as published.
        real_protocol: How they are trained on real images; by default the same.
        engine: How to run; by default what suits each job.

    Returns:
        The accuracies, with correlations.

    Raises:
        UserError: If anything given is unknown or does not fit together, or another process is at work in `out`.

    Reference:
        Zhao, Mopuri, Bilen: Dataset Condensation with Gradient Matching, ICLR 2021, section 4.2.
    """
    data, seed = load(data), checked_seed(seed)
    whole("real", real, least=0)
    repeats = whole("repeats", repeats, least=1)
    names, methods = (
        sample(architectures) if isinstance(architectures, int) else words("architectures", architectures),
        words("methods", methods),
    )
    if not methods or len({*methods, REAL}) <= len(methods) or len(set(names)) < max(2, len(names)):
        raise UserError(f"expected different methods and at least two different architectures, got {list(methods)} and {len(names)}")
    sets = {REAL: Recipe(REAL, real), **{name: Recipe(name, ipc, iterations, preset) for name in methods}}
    followed = Protocol.given(protocol, Protocol(epochs=200))
    protocols = dict.fromkeys(sets, followed) | {REAL: Protocol.given(real_protocol, followed)}
    for name, recipe in sets.items():
        recipe.check(data, protocols[name])
    check_architectures(names, data)
    data.split(split)

    def ranked(folder: Path | None) -> Ranking:
        found = {}
        for name, recipe in sets.items():
            run = folder / name if folder else None
            made = make(recipe, data, seed, run, engine)
            found[name] = scores(
                made, names, data, protocols[name], repeats, split, seed, engine, folder / f"{name}.json" if folder else None
            )
        return Ranking(found)

    if out is None:
        return ranked(None)
    check_folder(Path(out))
    with locked(Path(out), f"the search in {out}"):
        return ranked(Path(out))


def check_architectures(names: Sequence[str], data: DataSet) -> None:
    """Refuse those that do not exist or cannot take the images."""
    require("scipy", "architecture search", "analysis")
    for name in names:
        build(name, channels=data.channels, classes=data.classes, size=data.size)


def scores(
    made: TrainingSet,
    architectures: Sequence[str],
    data: DataSet,
    protocol: Protocol,
    repeats: int,
    split: str,
    seed: int,
    engine: Engine | None,
    keep: Path | None,
) -> dict[str, tuple[float, ...]]:
    """Train every architecture on a set; the accuracies in percent, of networks that are found in `keep` or trained.

    Args:
        made: The set.
        architectures: By name.
        data: The data set.
        protocol: How, with each architecture in place of its network.
        repeats: Networks of each.
        split: What they are tested on.
        seed: Of weights, order and augmentation.
        engine: How to run; None for what suits each architecture.
        keep: A file that keeps what every network reached; None for none.
    """
    found = {}
    with opened(keep) as ledger, progress(f"training {len(architectures)} architectures", len(architectures), unit="network") as bar:
        for name in architectures:
            followed = replace(protocol, network=name).resolved(made.stored / data.classes, data.classes, made.numbers)
            cost = training_cost(data, followed, len(made.images))
            suited = engine.suited(cost) if engine else Engine.choose(cost=cost)
            scorer = Scorer(data, data.split(split), followed, suited, ledger)
            paths = ((seed, number) for number in range(repeats))
            score = scorer.score(made.images, made.labels, paths, label_kind=made.label_kind, learned_rate=made.learned_rate)
            found[name] = score.accuracies
            bar.advance(f"{name} {fmean(score.accuracies):.1f}%")
    return found
