from __future__ import annotations

import pytest

from datastill.runs.timing import seconds_per_step


@pytest.mark.parametrize("period", [1, 3])
def test_minutes_are_those_of_the_usual_step_times_the_steps(period: int) -> None:
    seconds = [1.0 + 2 * (period > 1 and number % period == 0) for number in range(30)]
    expected = sum(seconds)
    seconds[0], seconds[17] = 50, 1000  # compiling, and a pause
    steps = [{"iteration": number, "seconds": value} for number, value in enumerate(seconds, 1)]
    assert 30 * seconds_per_step(steps, period) == pytest.approx(expected)
    assert 31 * seconds_per_step([*steps, {"iteration": 31, "seconds": 9.0}], period) == pytest.approx(expected * 31 / 30)


def test_a_run_shorter_than_a_period_has_the_mean_of_its_steps() -> None:
    assert seconds_per_step([{"iteration": 1, "seconds": 3.0}, {"iteration": 2, "seconds": 1.0}], 5) == 2
