"""Stopping when a signal asks for it: at once, or as soon as what would be lost has been kept."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, what a cluster sends before it ends a job, and what a terminal sends when it is closed."""
SECONDS_OF_ONE_REQUEST = 0.2
"""Signals within this time are one request: some programs send theirs to a process and then to its whole group."""
SECONDS_UNTIL_AGAIN = 0.02
"""After which a signal asks again whose exception was dropped."""
IMPORTS = "<frozen importlib._bootstrap>"


class Stopped(KeyboardInterrupt):
    """A signal asked to stop, and what was under way has been kept.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


class _State:
    """What was asked for, and what it has to wait for.

    Attributes:
        asked: The signal that came; None if none did.
        raised: Whether `Stopped` was raised where the signal came, in the middle of anything.
        held: Holds around what is done now.
        last_words: Says that the process ends and ends it; None where the process is not ours.
        notice: Says that what is under way is kept first.
        handled: The signals that are handled.
    """

    asked: int | None = None
    raised: bool = False
    held: int = 0
    last_words: Callable[[int], object] | None = None
    notice: Callable[[int], object] | None = None
    handled: tuple[int, ...] = ()


def handle(last_words: Callable[[int], object], notice: Callable[[int], object]) -> None:
    """Let signals stop this process, which must be ours: those that it was told to ignore, as by `nohup`, it goes on ignoring.

    The first one raises `Stopped`, within a `Hold` once it may. A second one ends the process at once, whatever it is doing.

    Args:
        last_words: Called with the signal during an import, out of which an exception may not find its way; must end the process.
        notice: Called with the signal where it has to wait.
    """
    _State.last_words, _State.notice = last_words, notice
    _State.handled = tuple(number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)
    sys.unraisablehook = _dropped
    for number in _State.handled:
        signal.signal(number, _arrived)


def let_go() -> None:
    """Let signals end the process again as they do by default, for its last moments."""
    for number in SIGNALS:
        if signal.getsignal(number) is _arrived:
            signal.signal(number, signal.SIG_DFL)


class Hold:
    """Lets signals wait, from its first `begin` until `check` or the end of the block; they raise `Stopped` there.

    In a process that is not ours this holds for Ctrl-C alone, and only while the caller has no handler of its own for it; Python's is
    put back at the end. Ctrl-C once more raises `KeyboardInterrupt` at once. In threads other than the main one it does nothing.

    Args:
        keep: Keeps what is under way where a signal asks to stop (see `stepped`).
    """

    def __init__(self, keep: Callable[..., object] | None = None) -> None:
        self.keep, self.begun, self.handler = keep, False, False

    def __enter__(self) -> Self:
        return self

    def begin(self) -> None:
        """Have signals wait from now on. Before the end of a first step there is nothing to lose, and it may compile for long."""
        if self.begun or not _in_main_thread():
            return
        self.begun = True
        _State.held += 1
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self.handler = True
            signal.signal(signal.SIGINT, _interrupted)

    def stepped(self, *arguments: object) -> None:
        """Say that a step has been taken; where a signal asks to stop, keep what there is and stop.

        Args:
            arguments: For `keep`.

        Raises:
            Stopped: If a signal asks for it.
        """
        self.begin()
        if requested():
            if self.keep:
                self.keep(*arguments)
            check()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self.begun:
            return
        _State.held -= 1
        asked = _State.asked
        if self.handler:
            _State.asked = None
            if signal.getsignal(signal.SIGINT) is _interrupted:
                signal.signal(signal.SIGINT, signal.default_int_handler)
        if asked is not None and kind is None:
            raise Stopped(asked)


@contextlib.contextmanager
def released() -> Iterator[None]:
    """Within a `Hold`, let signals raise at once: everything has been kept, and what is done here can be done again."""
    check()
    if not _in_main_thread():
        yield
        return
    before, _State.held = _State.held, 0
    try:
        yield
    finally:
        _State.held = before


def requested() -> bool:
    """Whether a signal asks to stop, so that what is under way should be kept now."""
    return _State.asked is not None and _in_main_thread()


def asked() -> int:
    """The signal that asks to stop; 0 for none."""
    return (_State.asked or 0) if _in_main_thread() else 0


def stop(number: int) -> NoReturn:
    """Stop here, as another process of the run was asked to; where the same is asked of this one later, it is no second request.

    Args:
        number: The signal that it got.

    Raises:
        Stopped: Always.
    """
    if any(signal.getsignal(each) is _arrived for each in SIGNALS):
        _State.asked = number
    raise Stopped(number)


def check() -> None:
    """Stop here if a signal asks for it.

    Raises:
        Stopped: If one does.
    """
    if _State.asked is not None and _in_main_thread():
        raise Stopped(_State.asked)


def check_error(error: BaseException) -> None:
    """Stop here if an exception may be what other code has made of `Stopped`, as compiled code does with what its callbacks raise.

    Args:
        error: What came.

    Raises:
        Stopped: If a signal has raised it in the middle of what this process did.
    """
    if _State.raised and _State.asked is not None and not isinstance(error, KeyboardInterrupt):
        raise Stopped(_State.asked) from error


def _arrived(number: int, frame: FrameType | None) -> None:
    """Handle a signal in a process of ours."""
    if _State.asked is not None:
        return
    _State.asked = number
    time.sleep(SECONDS_OF_ONE_REQUEST)
    for each in SIGNALS:
        if signal.getsignal(each) is _arrived:  # a terminal that closes is no second request
            signal.signal(each, signal.SIG_IGN if each == getattr(signal, "SIGHUP", None) else signal.SIG_DFL)
    if _State.held:
        if _State.notice:
            _State.notice(number)
        return
    if _State.last_words and _importing(frame):
        _State.last_words(number)
    _State.raised = True
    raise Stopped(number)


def _dropped(what: UnraisableHookArgs) -> None:
    """Let a signal ask again that came in code whose exceptions Python drops, such as what runs when an object is deleted."""
    if not isinstance(what.exc_value, Stopped) or not _in_main_thread():
        sys.__unraisablehook__(what)
        return
    _State.asked, _State.raised = None, False
    for number in _State.handled:
        signal.signal(number, _arrived)
    again = threading.Timer(SECONDS_UNTIL_AGAIN, os.kill, (os.getpid(), what.exc_value.number))
    again.daemon = True
    again.start()


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C within a `Hold` in a process of someone else."""
    if _State.asked is not None or not _State.held:
        signal.default_int_handler(number, frame)
    _State.asked = number


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORTS:
            return True
        frame = frame.f_back
    return False
