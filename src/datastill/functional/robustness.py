"""Scores that ask how much of an accuracy a set itself gives, and how much its labels and augmentation."""

from __future__ import annotations

import math

from datastill.errors import UserError


def scaled(gain: float) -> float:
    """Bring a gain in accuracy to the unit interval: ``(e^a - e^-1) / (e - e^-1)``.

    Args:
        gain: In [-1, 1], a difference of fractions.

    Returns:
        0 for -1, .269 for no gain, 1 for 1.

    Raises:
        UserError: If it is outside, as percentages would be.

    Example:
        >>> scaled(-1.0), round(scaled(0.0), 3), scaled(1.0)
        (0.0, 0.269, 1.0)
    """
    if not -1 <= gain <= 1:
        raise UserError(f"a gain is a difference of two fractions, from -1 to 1, got {gain:.4g}: divide percentages by 100")
    return (math.exp(gain) - math.exp(-1)) / (math.exp(1) - math.exp(-1))


def label_robustness(*, synthetic: float, hard: float, random: float, real: float) -> float:
    """DD-Ranking's label-robust score: what a set gains over random images, less what it loses against all images with hard labels alone.

    With ``IOR = synthetic - random`` and ``HLR = real - hard``, the gain is ``(IOR - HLR) / 2``.

    Args:
        synthetic: Accuracy of networks trained on the set with its own labels, a fraction in [0, 1] as all of these.
        hard: The same with hard labels.
        random: Of networks trained on as many random real images.
        real: Of networks trained on all real images.

    Returns:
        In [0, 1]; higher is better.

    Reference:
        DD-Ranking, arXiv:2505.13300; there the differences are in percentage points.

    Example:
        >>> round(label_robustness(synthetic=0.55, hard=0.55, random=0.3, real=0.85), 4)
        0.2584
    """
    return scaled(((synthetic - random) - (real - hard)) / 2)


def augmentation_robustness(*, synthetic: float, random: float, synthetic_plain: float, random_plain: float) -> float:
    """DD-Ranking's augmentation-robust score: the mean of the gains over random images with and without augmentation, scaled.

    Args:
        synthetic: Accuracy of networks trained on the set with augmentation, a fraction in [0, 1] as all of these.
        random: The same on as many random real images.
        synthetic_plain: On the set, without augmentation.
        random_plain: On the real images, without augmentation.

    Returns:
        In [0, 1]; higher is better.

    Reference:
        As of `label_robustness`.

    Example:
        >>> round(augmentation_robustness(synthetic=0.55, random=0.3, synthetic_plain=0.5, random_plain=0.3), 4)
        0.3763
    """
    return scaled(((synthetic - random) + (synthetic_plain - random_plain)) / 2)
