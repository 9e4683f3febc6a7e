"""Augmentation: differentiable siamese augmentation, CutMix, mirror and shift, partition and expand."""

from __future__ import annotations

from datastill.augment.cutmix import cutmix
from datastill.augment.dsa import AUGMENTATIONS, DSA, FAMILIES, Draw, check_augmentation, families, matching, training
from datastill.augment.partition import LEAST_SIDE, check_factor, expand, pack
from datastill.augment.shift import flip_and_shift

__all__ = [
    "AUGMENTATIONS",
    "DSA",
    "FAMILIES",
    "LEAST_SIDE",
    "Draw",
    "check_augmentation",
    "check_factor",
    "cutmix",
    "expand",
    "families",
    "flip_and_shift",
    "matching",
    "pack",
    "training",
]
