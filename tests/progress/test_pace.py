"""The rate of the last steps, whatever happens in between."""

from __future__ import annotations

import pytest

from datastill.progress.pace import Pace


def paced(*steps: float) -> Pace:
    """The pace after steps that took these seconds."""
    pace, now = Pace(0.0), 0.0
    for taken in steps:
        now += taken
        pace.add(now)
    return pace


def left(pace: Pace) -> float:
    """Seconds of a hundred more steps."""
    seconds = pace.seconds(100)
    assert seconds is not None
    return seconds


@pytest.mark.parametrize("before", [2, 3, 10, 300])
def test_a_process_that_was_stopped_for_an_hour_goes_on_at_its_rate(before: int) -> None:
    assert left(paced(*[1.0] * before, 3600.0)) == pytest.approx(100)
    assert left(paced(*[1.0] * before, 3600.0, 1.0, 1.0)) == pytest.approx(100)
    assert left(paced(*[1.0] * before, 3600.0, 1.0, 7200.0, 1.0)) == pytest.approx(100)


def test_steps_that_stay_slower_count_as_they_are() -> None:
    assert left(paced(1.0, 1.0, 1.0, 50.0, 50.0)) == pytest.approx(100 * (1 + 1 + 50 + 50) / 4)
    assert left(paced(*[1.0] * 10, *[50.0] * 7)) == pytest.approx(5000)
    assert left(paced(*[1.0] * 10, *[10.0] * 10)) == pytest.approx(1000)
