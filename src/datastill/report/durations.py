"""Durations in tables: as many digits as they need, so that a short one never becomes zero."""

from __future__ import annotations

SHORT, SHORTEST = 0.1, 0.001


def shortened(number: float, digits: int = 2) -> float:
    """Round a duration to some decimals; below .1 to two significant digits, so that only nothing is 0.

    Args:
        number: In any unit, not negative.
        digits: Decimals of what is not short.
    """
    return float(f"{number:.2g}") if number < SHORT else round(number, digits)


def in_minutes(seconds: float | None) -> float | None:
    """Seconds as minutes with two decimals, or two significant digits below .1 of a minute; None stays None."""
    return None if seconds is None else shortened(seconds / 60)


def written(minutes: float) -> str:
    """Minutes as a page writes them: one decimal; below .1 two significant digits, and nothing exact below .001."""
    if 0 < minutes < SHORTEST:
        return f"< {SHORTEST}"
    return f"{minutes:.2g}" if minutes < SHORT else f"{minutes:.1f}"
