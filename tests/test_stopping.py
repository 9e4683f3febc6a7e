"""What a process that is not ours sees of signals: Ctrl-C is Python's, a little later."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest

from datastill import stopping
from datastill.stopping import Hold, Stopped


def test_ctrl_c_waits_until_the_step_is_kept_and_pythons_handler_comes_back() -> None:
    kept: list[str] = []

    def steps() -> None:
        with Hold(kept.append) as hold:
            hold.stepped("first")
            signal.raise_signal(signal.SIGINT)
            kept.append("rest of the second")
            hold.stepped("second")
            kept.append("third")

    with pytest.raises(KeyboardInterrupt) as caught:
        steps()
    assert kept == ["rest of the second", "second"]
    assert isinstance(caught.value, Stopped)
    assert caught.value.number == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with Hold(kept.append) as hold:
        hold.stepped("again")  # the request is over
    assert "again" not in kept


def test_ctrl_c_after_the_last_step_is_not_forgotten() -> None:
    def steps() -> None:
        with Hold() as hold:
            hold.stepped()
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped):
        steps()


def test_ctrl_c_raises_at_once_before_there_is_something_to_lose_where_it_is_released_and_the_second_time() -> None:
    def before() -> None:
        with Hold():
            signal.raise_signal(signal.SIGINT)
            pytest.fail("it waited")

    def released() -> None:
        with Hold() as hold:
            hold.begin()
            with stopping.released():
                signal.raise_signal(signal.SIGINT)
                pytest.fail("it waited")

    def twice() -> None:
        with Hold() as hold:
            hold.begin()
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("it waited")

    for case in (before, released, twice):
        with pytest.raises(KeyboardInterrupt):
            case()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert not stopping.requested()


def test_holds_within_holds_give_the_handler_back_once() -> None:
    def steps() -> None:
        with Hold() as outer:
            outer.begin()
            with Hold() as inner:
                inner.begin()
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
            signal.raise_signal(signal.SIGINT)
            outer.stepped()

    with pytest.raises(Stopped):
        steps()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_handler_of_the_caller_is_left_alone(number: int) -> None:
    came: list[int] = []

    def mine(number: int, frame: object) -> None:
        came.append(number)

    before = signal.signal(number, mine)
    try:
        with Hold() as hold:
            hold.begin()
            assert signal.getsignal(number) is mine
            signal.raise_signal(number)
            hold.stepped()
        assert came == [number]
        assert signal.getsignal(number) is mine
    finally:
        signal.signal(number, before)


def test_an_error_is_not_hidden_by_a_request() -> None:
    def steps() -> None:
        with Hold() as hold:
            hold.begin()
            signal.raise_signal(signal.SIGINT)
            raise KeyError

    with pytest.raises(KeyError):
        steps()
    assert not stopping.requested()


def test_other_threads_neither_wait_nor_stop() -> None:
    found: list[object] = []

    def work() -> None:
        with Hold() as hold:
            hold.stepped()
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_a_signal_whose_exception_is_dropped_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deleted:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    def work() -> None:
        deleted = Deleted()
        del deleted
        time.sleep(10)
        pytest.fail("it went on")

    before = {number: signal.getsignal(number) for number in stopping.SIGNALS}
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    stopping.handle(lambda number: pytest.fail("no import is under way"), lambda number: None)
    try:
        with pytest.raises(Stopped, match="SIGTERM"):
            work()
    finally:
        stopping._State.asked, stopping._State.raised = None, False
        for number, handler in before.items():
            signal.signal(number, handler)


def test_what_other_code_makes_of_a_stop_is_still_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    before = {number: signal.getsignal(number) for number in stopping.SIGNALS}
    stopping.check_error(ValueError("nobody asked"))
    stopping.handle(lambda number: pytest.fail("no import is under way"), lambda number: None)
    try:
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped) as caught:
            stopping.check_error(ValueError("compiled code calls it: stopped by SIGTERM"))
        assert caught.value.number == signal.SIGTERM
        stopping.check_error(KeyboardInterrupt())
    finally:
        stopping._State.asked, stopping._State.raised = None, False
        for number, handler in before.items():
            signal.signal(number, handler)
