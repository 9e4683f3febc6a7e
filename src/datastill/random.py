"""Randomness as a function of where it is used, never of what ran before.

Every draw names its place as a path, for example ``(seed, iteration, class, "real batch")``. The same path gives the same
generator in any process, so a resumed run repeats an uninterrupted one and splitting classes changes no draw.
"""

from __future__ import annotations

import hashlib

import torch


def derive(seed: int, *path: int | str) -> int:
    """Hash a seed and a path to a 63-bit seed.

    Args:
        seed: The run's seed, any integer.
        path: Where the draw is used, most significant first.

    Returns:
        An integer in [0, 2**63).

    Example:
        >>> derive(0, 1, "real batch") == derive(0, 1, "real batch")
        True
        >>> derive(0, 1, "real batch") == derive(0, 11, "real batch")
        False
    """
    digest = hashlib.blake2b(repr((seed, *path)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *path: int | str) -> torch.Generator:
    """Make the CPU generator of one place (see `derive`). Draws are made on the CPU so that no device changes them."""
    return torch.Generator().manual_seed(derive(seed, *path))
