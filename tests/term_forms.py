"""Every public term in every form it has, and features to try them on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from datastill.networks import Features
from datastill.terms import (
    AttentionMatching,
    Calibration,
    CharacteristicMatching,
    ClassCentralization,
    CovarianceMatching,
    CrossEntropy,
    Discrimination,
    KernelMatching,
    LayerMatching,
    MeanMatching,
    Term,
)
from small_terms import between

CLASSES, REAL, SYNTHETIC = 3, 5, 4


def tensor(*shape: int, seed: int) -> Tensor:
    """Normal noise in 64 bits."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def features(images: int, seed: int, classes: int = CLASSES) -> Features:
    """Noise for every field, stacked by class."""
    return Features(
        blocks=(
            tensor(classes, images, 2, 4, 4, seed=seed),
            tensor(classes, images, 3, 2, 2, seed=seed + 1),
            tensor(classes, images, 2, 2, 1, seed=seed + 5),
        ),
        map=tensor(classes, images, 3, 2, 2, seed=seed + 2),
        embedding=tensor(classes, images, 6, seed=seed + 3),
        logits=tensor(classes, images, classes, seed=seed + 4),
        labels=torch.arange(classes),
        accuracy=0.8,
        pixels=5,
    )


def images_of(batch: Features, order: list[int]) -> Features:
    """Some images of every class, in an order."""
    return batch.apply(lambda entry: entry[:, order])


def classes_of(batch: Features, order: list[int]) -> Features:
    """Some classes, in an order."""
    return replace(batch.apply(lambda entry: entry[order]), labels=batch.labels[order])


def pair() -> tuple[Features, Features]:
    """Real and synthetic features."""
    return features(REAL, seed=10), features(SYNTHETIC, seed=20)


def equal(real: Features, synthetic: Features) -> tuple[Features, Features]:
    """Real images that are the synthetic ones."""
    return synthetic, synthetic


def collapsed(real: Features, synthetic: Features) -> tuple[Features, Features]:
    """Synthetic images of a class that are all the same."""
    return real, synthetic.apply(lambda entry: entry[:, :1].expand_as(entry))


SURE = 50 * torch.eye(CLASSES, 6, dtype=torch.float64)[:, None]


def recognised(real: Features, synthetic: Features) -> tuple[Features, Features]:
    """Synthetic images that the network takes for what they are."""
    return real, replace(synthetic, logits=SURE[:, :, :CLASSES].expand(-1, SYNTHETIC, -1))


def far_apart(real: Features, synthetic: Features) -> tuple[Features, Features]:
    """Real images that are far nearer to the centre of their own class than to another."""
    return replace(real, embedding=SURE.expand(-1, REAL, -1)), replace(synthetic, embedding=SURE.expand(-1, SYNTHETIC, -1))


@dataclass(frozen=True)
class Form:
    """A term in one of its forms, and what the laws of all terms need to know of it.

    Attributes:
        term: The term.
        best: Gives features that leave it nothing to do, from any; by default equal ones, as for a distance.
        least: Its value then, on `SYNTHETIC` images of each of `CLASSES` classes.
        adds: Over which images of a class it adds up, where it is no mean over them: "real" or "synthetic".
        idle: How many of the last blocks it leaves alone.
    """

    term: Term
    best: Callable[[Features, Features], tuple[Features, Features]] = equal
    least: float = 0.0
    adds: tuple[str, ...] = ()
    idle: int = 0


FORMS = {
    "mm": Form(MeanMatching()),
    "cm": Form(CovarianceMatching()),
    # an exponential of 1 for each of 5 values of an image, from which beta is taken
    "cc relative": Form(ClassCentralization(alpha=0.5, beta=0.4), collapsed, CLASSES * 5 * 0.6),
    # and one for each image in this form, which adds up over them
    "cc hinge": Form(ClassCentralization(form="hinge", alpha=0.05, beta=0.4), collapsed, CLASSES * SYNTHETIC * 0.6, adds=("synthetic",)),
    "cc squared": Form(ClassCentralization(form="squared"), collapsed, adds=("synthetic",)),
    "ce": Form(CrossEntropy(), recognised),
    "am power 4": Form(AttentionMatching(power=4), idle=1),
    "am power 1": Form(AttentionMatching(power=1), idle=1),
    "lm": Form(LayerMatching()),
    "dl": Form(Discrimination(), far_apart, adds=("real",)),  # as in CAFE's published code: it grows with the real batch
    "km": Form(KernelMatching()),
    "cf": Form(CharacteristicMatching(frequencies=40)),
    "cal": Form(Calibration(), recognised),
}


def value(term: Term, real: Features, synthetic: Features) -> float:
    """The value of a term between features that are all in memory."""
    result = between(term, real, synthetic)
    assert result.shape == ()
    return float(result)
