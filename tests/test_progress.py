from __future__ import annotations

import io
import os
import shutil
from types import SimpleNamespace

import pytest

from datastill import progress as module
from datastill.progress import clock, progress


class Screen(io.StringIO):
    """A terminal that remembers what was written."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Time that goes on by what it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=screen))
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *arguments: os.terminal_size((60, 20)))
    return screen


def test_a_log_gets_a_line_every_ten_seconds_and_the_last(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("training", 50, unit="step") as bar:
        for _ in range(50):
            time.now += 0.5
            bar.advance("loss 1.0")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "training 20/50 2.0 step/s, 15s left loss 1.0",
        "training 40/50 2.0 step/s, 5s left loss 1.0",
        "training 50/50 2.0 step/s, 0s left loss 1.0",
    ]


def test_slow_steps_are_told_in_seconds(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("slow", 3) as bar:
        time.now += 90
        bar.advance()
    assert capsys.readouterr().err == "slow 1/3 90.00 s/it, 3m00s left\n"


def test_steps_of_an_earlier_process_count_as_done_but_not_for_the_rate(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("resumed", 100, done=90) as bar:
        time.now += 10
        bar.advance()
    assert capsys.readouterr().err == "resumed 91/100 10.00 s/it, 1m30s left\n"


def test_steps_that_are_skipped_on_the_way_do_not_count_for_the_rate_either(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("evaluating", 20, unit="step") as bar:
        bar.skip(12)
        for _ in range(8):
            time.now += 2
            bar.advance()
    assert capsys.readouterr().err.splitlines() == ["evaluating 17/20 2.00 s/step, 6s left", "evaluating 20/20 2.00 s/step, 0s left"]


def test_a_terminal_gets_one_line_that_is_overwritten(time: Clock, screen: Screen) -> None:
    with progress("bar", 4) as bar:
        for _ in range(4):
            time.now += 1
            bar.advance()
    parts = screen.getvalue().split("\r\x1b[K")[1:]
    assert parts[1] == "[##########..........] bar 2/4 1.0 it/s, 2s left"
    assert parts[3] == "[####################] bar 4/4 1.0 it/s, 0s left\n"
    assert screen.getvalue().count("\n") == 1


def test_a_terminal_is_not_flooded(time: Clock, screen: Screen) -> None:
    with progress("bar", 1000) as bar:
        for _ in range(999):
            time.now += 0.01
            bar.advance()
    assert 90 <= screen.getvalue().count("\r") <= 110


def test_a_long_line_is_cut_to_the_width_of_the_terminal(time: Clock, screen: Screen) -> None:
    with progress("bar", 4) as bar:
        time.now += 1
        bar.advance("x" * 200)
    line = screen.getvalue().split("\x1b[K")[1].rstrip("\n")
    assert len(line) == 59


@pytest.mark.parametrize(("shown", "ending"), [(True, "\n"), (False, "")])
def test_an_interrupted_bar_ends_its_line_if_there_is_one(time: Clock, screen: Screen, shown: bool, ending: str) -> None:
    def work() -> None:
        with progress("bar", 4) as bar:
            if shown:
                time.now += 1
                bar.advance()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert screen.getvalue().endswith(ending)
    assert screen.getvalue().count("\n") == len(ending)


@pytest.mark.parametrize(("total", "steps"), [(0, 1), (2, 4)])
def test_more_steps_than_foreseen_do_no_harm(time: Clock, screen: Screen, total: int, steps: int) -> None:
    with progress("bar", total) as bar:
        for _ in range(steps):
            time.now += 1
            bar.advance()
    assert f"{steps}/{total} 1.0 it/s, 0s left" in screen.getvalue()


@pytest.mark.parametrize(
    ("seconds", "written"), [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (3599.6, "1h00m"), (3661, "1h01m"), (360000, "100h00m")]
)
def test_durations(seconds: float, written: str) -> None:
    assert clock(seconds) == written
