"""Augmentation of real and synthetic images."""

from __future__ import annotations

from datastill.augment.dsa import DSA, FAMILIES, Draw, families

__all__ = ["DSA", "FAMILIES", "Draw", "families"]
