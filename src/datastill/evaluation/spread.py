"""Standard deviation and interval of a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, pstdev, stdev


def spread(values: Sequence[float]) -> float | None:
    """Standard deviation as the papers give it (divided by n); None for one value, which has none.

    Example:
        >>> spread([50.0, 60.0]), spread([50.0])
        (5.0, None)
    """
    return pstdev(values) if len(values) > 1 else None


LEAST = 3
"""Values that an interval takes: from two it would be 12.7 standard errors to either side, which says nothing."""


def half_interval(values: Sequence[float], among: int = 1) -> float | None:
    """Half width of the 95% confidence interval of the mean (Student's t); None for fewer than `LEAST` values.

    Args:
        values: Whose mean.
        among: Intervals that are looked at together: they are wide enough that all of them hold with 95% (Bonferroni).

    Example:
        >>> round(half_interval([50.0, 55.0, 60.0]), 2), half_interval([50.0, 60.0])
        (12.42, None)
    """
    count = len(values)
    return students_t(count - 1, 1 - 0.05 / among) * stdev(values) / math.sqrt(count) if count >= LEAST else None


def bounds(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95% confidence interval of a mean accuracy in percent, cut to 0 to 100; None where `half_interval` is None.

    Example:
        >>> bounds([98.0, 99.0, 100.0])  # doctest: +ELLIPSIS
        (96.51586..., 100.0)
    """
    half, mean = half_interval(values), fmean(values)
    return None if half is None else (max(0.0, mean - half), min(100.0, mean + half))


def students_t(degrees: int, inner: float = 0.95) -> float:
    """How many standard errors from the mean an inner share of Student's distribution ends.

    With theta = arctan(t / sqrt(degrees)), the share within t is a finite sum in sin and cos of theta, which is solved by bisection.

    Args:
        degrees: Of freedom, at least 1.
        inner: The share, in (0, 1).

    Reference:
        Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.

    Example:
        >>> round(students_t(4), 6)
        2.776445
    """
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _share_within(middle, degrees) < inner else (low, middle)
    return math.tan(high) * math.sqrt(degrees)


def _share_within(theta: float, degrees: int) -> float:
    odd = degrees % 2
    factor, total = math.cos(theta) ** odd, 0.0
    for number in range(1 + odd, degrees, 2):
        total += factor
        factor *= math.cos(theta) ** 2 * number / (number + 1)
    return (theta + math.sin(theta) * total) * 2 / math.pi if odd else math.sin(theta) * total
