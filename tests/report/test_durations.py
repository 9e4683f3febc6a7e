"""Durations in tables: a short one keeps its digits and never becomes zero."""

from __future__ import annotations

import pytest

from datastill.report.durations import in_minutes, shortened, written


@pytest.mark.parametrize(("seconds", "minutes"), [(None, None), (0, 0.0), (0.27, 0.0045), (5.9, 0.098), (6.1, 0.1), (754.0, 12.57)])
def test_seconds_become_minutes_that_are_zero_only_for_nothing(seconds: float | None, minutes: float | None) -> None:
    assert in_minutes(seconds) == minutes


def test_seconds_of_an_iteration_keep_two_digits_however_few_they_are() -> None:
    assert [shortened(seconds, 3) for seconds in (0.000412, 0.0567, 1.23456)] == [0.00041, 0.057, 1.235]


def test_pages_write_one_decimal_or_two_digits() -> None:
    assert [written(minutes) for minutes in (0.0, 2e-5, 0.0045, 0.1, 12.57)] == ["0", "< 0.001", "0.0045", "0.1", "12.6"]
