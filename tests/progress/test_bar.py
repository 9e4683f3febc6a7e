from __future__ import annotations

import pytest

from datastill.progress import clock, progress
from terminals import Clock, Screen


def test_a_log_gets_a_line_every_ten_seconds_and_the_last(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("training", 50, unit="step") as bar:
        for _ in range(50):
            clock.now += 0.5
            bar.advance("loss 1.0")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "training 20/50 2.0 step/s, 15s left loss 1.0",
        "training 40/50 2.0 step/s, 5s left loss 1.0",
        "training 50/50 2.0 step/s, 0s left loss 1.0",
    ]


def test_slow_steps_are_told_in_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("slow", 3) as bar:
        clock.now += 90
        bar.advance()
    assert capsys.readouterr().err == "slow 1/3 90.00 s/it, 3m00s left\n"


def test_compiling_in_the_first_step_does_not_count_for_the_rate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("compiled", 100) as bar:
        clock.now += 60
        bar.advance()
        for _ in range(10):
            clock.now += 1
            bar.advance()
    assert capsys.readouterr().err.splitlines()[1:] == ["compiled 11/100 1.0 it/s, 1m29s left"]


def test_the_rate_is_that_of_the_last_minutes(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("slower", 1000) as bar:
        for seconds in (1, 10):
            for _ in range(100):
                clock.now += seconds
                bar.advance()
    assert capsys.readouterr().err.splitlines()[-1] == "slower 200/1000 10.00 s/it, 2h13m left"


def test_steps_of_an_earlier_process_count_as_done_but_not_for_the_rate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("resumed", 100, done=90) as bar:
        clock.now += 10
        bar.advance()
    assert capsys.readouterr().err == "resumed 91/100 10.00 s/it, 1m30s left\n"


def test_steps_that_are_skipped_on_the_way_do_not_count_for_the_rate_either(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("evaluating", 20, unit="step") as bar:
        bar.skip(12)
        for _ in range(8):
            clock.now += 2
            bar.advance()
    assert capsys.readouterr().err.splitlines() == ["evaluating 17/20 2.00 s/step, 6s left", "evaluating 20/20 2.00 s/step, 0s left"]


def test_a_terminal_gets_one_line_that_is_overwritten(clock: Clock, screen: Screen) -> None:
    with progress("bar", 4) as bar:
        for _ in range(4):
            clock.now += 1
            bar.advance("loss 1.0")
    frames = screen.frames()
    assert frames[0].endswith("bar 0/4 ?, ? left")
    assert frames[2].endswith("bar 2/4 1.0 it/s, 2s left loss 1.0")
    assert frames[-1].endswith("bar 4/4 1.0 it/s, 0s left loss 1.0")
    assert frames[-1].startswith("━" * 20)
    assert screen.getvalue().count("\n") == 1


def test_a_terminal_is_not_flooded(clock: Clock, screen: Screen) -> None:
    with progress("bar", 1000) as bar:
        for _ in range(999):
            clock.now += 0.01
            bar.advance()
    assert 90 <= len(screen.frames()) <= 115


@pytest.mark.parametrize("width", [30, 45, 80])
def test_a_narrow_terminal_keeps_the_time_left(width: int, clock: Clock, screen: Screen) -> None:
    screen.resize(width)
    with progress("evaluating 5 x convnet", 400) as bar:
        clock.now += 1
        bar.advance("x" * 200)
    assert all(len(frame) <= width for frame in screen.frames())
    assert "1/400 1.0 it/s, 6m39s left" in screen.frames()[-1]


def test_a_bar_may_be_inside_another_one(clock: Clock, screen: Screen) -> None:
    with progress("outer", 2) as outer:
        outer.advance()
        with progress("inner", 2) as inner:
            clock.now += 1
            inner.advance()
        outer.advance()
    assert any("inner 1/2" in frame for frame in screen.frames())
    assert "outer 2/2" in screen.frames()[-1]


def test_an_interrupted_bar_ends_its_line(clock: Clock, screen: Screen) -> None:
    def work() -> None:
        with progress("bar", 4) as bar:
            bar.advance()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert screen.getvalue().count("\n") == 1


@pytest.mark.parametrize(("total", "steps"), [(0, 1), (2, 4)])
def test_more_steps_than_foreseen_do_no_harm(clock: Clock, screen: Screen, total: int, steps: int) -> None:
    with progress("bar", total) as bar:
        for _ in range(steps):
            clock.now += 1
            bar.advance()
    assert f"{steps}/{total} 1.0 it/s, 0s left" in screen.frames()[-1]


@pytest.mark.parametrize(
    ("seconds", "written"), [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (3599.6, "1h00m"), (3661, "1h01m"), (360000, "100h00m")]
)
def test_durations(seconds: float, written: str) -> None:
    assert clock(seconds) == written
