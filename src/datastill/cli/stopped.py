"""What the command says when a signal stops it, and what it exits with: 128 and the signal's number."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from datastill.cli import launched
from datastill.text import escaped

SAME = "; the same command continues"
SHOW_CURSOR = "\x1b[?25h"


def goes_on(arguments: Sequence[str]) -> str:
    """How to go on after a command was stopped; "" where there is nothing to go on with."""
    command, out = (arguments[0] if arguments else ""), _out(arguments)
    if "--dry-run" in arguments:
        return "; nothing that was measured is kept"
    if command == "distill":
        begun = out and os.path.exists(os.path.join(out, "config.yaml"))  # noqa: PTH110, PTH118 (pathlib takes long to import)
        return f"; datastill resume {escaped(shlex.quote(out))} continues the run" if begun else "; the run had not begun"
    if command == "evaluate" and not out:
        return "; with --out the same command would continue"
    return SAME if command in ("resume", "evaluate", "pretrain", "experiment") else ""


def _out(arguments: Sequence[str]) -> str:
    """What --out names; "" if it is not there."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == "--out":
            return following
        if word.startswith("--out="):
            return word.removeprefix("--out=")
    return ""


def line(number: int, arguments: Sequence[str]) -> str:
    """The one line about a signal.

    Example:
        >>> line(15, ["pretrain", "digits"])
        'datastill: stopped by SIGTERM; the same command continues'
    """
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    return f"datastill: stopped{by}{goes_on(arguments)}"


def exit_stopped(number: int, arguments: Sequence[str]) -> NoReturn:
    """Say so and exit."""
    said = line(number, arguments)
    if launched.once(said):
        print(f"{_after_ctrl_c()}{said}", file=sys.stderr)
    sys.exit(128 + number)


def end_at_once(number: int) -> NoReturn:
    """Say so and end the process without leaving what it is in the middle of."""
    if launched.first():
        _write(f"{line(number, sys.argv[1:])}\n")
    os._exit(128 + number)


def notice(number: int) -> None:
    """Tell a person who waits why."""
    if os.isatty(2) and launched.first():
        _write("datastill: stopping after this step; once more to stop now\n")


def _after_ctrl_c() -> str:
    """The end of the line that the terminal shows ``^C`` in."""
    return "\n" if sys.stderr.isatty() else ""


def _write(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, (f"{SHOW_CURSOR}\n{text}" if os.isatty(2) else text).encode())
