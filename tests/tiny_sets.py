"""Small distilled sets made by hand."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from datastill.data import ClassImages, DataSet
from datastill.distilled import DistilledSet, Origin

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)


def distilled_set(
    class_names: tuple[str, ...] = ("cat", "dog", "ship"),
    *,
    ipc: int = 2,
    channels: int = 3,
    size: tuple[int, int] = (8, 6),
    seed: int = 0,
    fingerprint: str = "0123456789abcdef",
    factor: int = 1,
) -> DistilledSet:
    """Normal noise, class after class, reaching beyond what 8 bits hold."""
    images = torch.randn(len(class_names) * ipc, channels, *size, generator=torch.Generator().manual_seed(seed)) * 2
    labels = torch.arange(len(class_names)).repeat_interleave(ipc)
    origin = Origin(
        "cifar10", fingerprint, class_names, MEAN[:channels], STD[:channels], flip=True,
        method="dm+iid", seed=7, iterations=11, factor=factor, version="1.2.3",
    )  # fmt: skip
    return DistilledSet(images, labels, origin)


def soft_set(kind: str = "probabilities", *, factor: int = 1, size: tuple[int, int] = (8, 6), **numbers: float) -> DistilledSet:
    """The same set with soft labels of a kind, the largest value at the class, and learned numbers."""
    whole = distilled_set(factor=factor, size=size)
    noise = torch.rand(len(whole.images), 3, generator=torch.Generator().manual_seed(5))
    labels = (noise + 2 * torch.nn.functional.one_hot(whole.labels, 3)) / 4
    labels = labels / labels.sum(1, keepdim=True) if kind == "probabilities" else labels
    labels = 8 * labels - 3 if kind in ("logits", "scores") else labels
    return replace(whole, labels=labels, label_kind=kind, numbers=numbers)


def data_set(counts: tuple[int, ...] = (6, 5, 4), *, channels: int = 3, size: tuple[int, int] = (8, 6), seed: int = 0) -> DataSet:
    """Random pixels under the class names that `distilled_set` has; validation and test have other images than training."""
    generator = torch.Generator().manual_seed(seed)

    def split(scale: int) -> ClassImages:
        many = tuple(scale * count for count in counts)
        pixels = torch.randint(0, 256, (sum(many), channels, *size), generator=generator, dtype=torch.uint8)
        return ClassImages(pixels, torch.arange(sum(many)), many)

    names = ("cat", "dog", "ship")
    return DataSet("tiny", split(1), split(2), split(3), names, MEAN[:channels], STD[:channels], flip=True, fingerprint="0123456789abcdef")


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two float32 tensors agree in every bit, the sign of zero included."""
    return one.shape == other.shape and torch.equal(one.contiguous().view(torch.int32), other.contiguous().view(torch.int32))
