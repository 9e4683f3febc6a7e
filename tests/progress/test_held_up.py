"""What holds a job up is shown, and counts neither for its rate nor for the time left."""

from __future__ import annotations

import time

import pytest

from datastill.progress import bar as module
from datastill.progress import held_up, progress
from terminals import Clock


def test_what_holds_a_step_up_does_not_count(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("compiled", 1000) as bar:
        for seconds in (60, 0, 30, 0):
            with held_up("compiling"):
                clock.now += seconds
            clock.now += 2
            bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["compiled 1/1000 2.00 s/it, 33m18s left", "compiled 3/1000 2.00 s/it, 33m14s left"]


def test_steps_inside_another_job_do_not_count_for_the_outer_one(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("outer", 100) as outer:
        for _ in range(4):
            clock.now += 3
            outer.advance()
            with progress("validating", 2) as inner:
                clock.now += 40
                inner.advance()
    said = capsys.readouterr().err.splitlines()
    assert "outer 4/100 3.00 s/it, 4m48s left" in said
    assert said[0] == "validating 1/2 40.00 s/it, 40s left"


def test_the_first_step_warms_up_and_the_last_ones_say_the_rate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("slower", 1000) as bar:
        for seconds in (25, *(1 for _ in range(200)), *(20 for _ in range(6))):
            clock.now += seconds
            bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "slower 11/1000 1.0 it/s, 16m29s left"
    assert lines[-1] == "slower 207/1000 20.00 s/it, 4h24m left"


def test_steps_of_different_lengths_are_reckoned_by_their_work(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("half the size first", 12, work=lambda step: 0.25 if step < 8 else 1.0) as bar:
        for step in range(12):
            clock.now += 10 if step < 8 else 40
            bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[3] == "half the size first 4/12 10.00 s/it, 3m20s left"
    assert lines[9] == "half the size first 10/12 40.00 s/it, 1m20s left"


def test_a_log_says_what_holds_a_job_up_while_it_does(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(module, "SECONDS_BETWEEN_TICKS", 0.001)
    with progress("dm", 30, done=7), held_up("compiling"):
        said = ""
        until = time.monotonic() + 20
        while "compiling" not in said and time.monotonic() < until:
            said += capsys.readouterr().err
    assert said.splitlines()[0] == "dm 7/30 compiling, 0s so far, ? left"


@pytest.mark.parametrize("columns", [60, 44])
def test_a_narrow_terminal_keeps_the_reason_and_the_time_left(columns: int, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("pretraining resnet18 0", 20000) as bar:
        for _ in range(3):
            clock.now += 23.27
            bar.advance("loss 12.34 " * 9)
        assert "3/20000 23.27 s/it, 129h15m left" in bar.line(columns)
        with held_up("compiling, only once"):
            clock.now += 75
            assert "compiling, only once, 1m15s so far" in bar.line(columns)
        assert len(bar.line(columns)) <= columns
