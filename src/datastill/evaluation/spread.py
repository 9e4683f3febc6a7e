"""Standard deviation and interval of a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import pstdev, stdev


def spread(values: Sequence[float]) -> float | None:
    """Standard deviation as the papers give it (divided by n); None for one value, which has none.

    Example:
        >>> spread([50.0, 60.0]), spread([50.0])
        (5.0, None)
    """
    return pstdev(values) if len(values) > 1 else None


def half_interval(values: Sequence[float]) -> float | None:
    """Half width of the 95% confidence interval of the mean (Student's t); None for one value."""
    from scipy.stats import t

    count = len(values)
    return float(t.ppf(0.975, count - 1)) * stdev(values) / math.sqrt(count) if count > 1 else None
