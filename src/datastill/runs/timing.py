"""How long a step of a run takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

from datastill.runs.folder import Run


def seconds_per_step(steps: Sequence[Mapping[str, Any]], period: int = 1) -> float:
    """Median seconds per step: a mean would count compiling, pauses and whatever else the machine did.

    Steps that read an encoder whose turn comes every few iterations take longer than the others. The median is over whole periods,
    divided by their length, so that times the number of steps it is what a run takes.

    Args:
        steps: Lines of ``metrics.jsonl``, each with iteration (from 1) and seconds.
        period: Iterations after which the encoders' turns repeat.

    Example:
        >>> seconds_per_step([{"iteration": 1, "seconds": 60.0}, *({"iteration": i, "seconds": 1 + i % 2} for i in range(2, 9))], 2)
        1.5
    """
    periods: dict[int, list[float]] = {}
    for step in steps:
        periods.setdefault((step["iteration"] - 1) // period, []).append(step["seconds"])
    whole = [seconds for seconds in periods.values() if len(seconds) == period]
    return median(fmean(seconds) for seconds in whole or periods.values())


def run_seconds_per_step(run: Run) -> float | None:
    """Median seconds per step of a run; None where it has taken none."""
    encoders = ((run.config() or {}).get("method") or {}).get("encoders") or {}
    period = math.lcm(*(encoder.get("every", 1) for encoder in encoders.values()))
    steps = [entry for entry in run.metrics() if "seconds" in entry]
    return seconds_per_step(steps, period) if steps else None
