"""The command: parse, call, print; the only place that knows flags."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from datastill import stopping
from datastill.cli.outputs import claimed
from datastill.cli.stopped import end_at_once, exit_stopped, notice


def main(arguments: list[str] | None = None, asked: Sequence[int] = ()) -> None:
    """Run the command (see `datastill.cli.program`). What it needs is imported here, so that signals find their handler before.

    Args:
        arguments: The words of the command line; None for those of this process, which is taken to be ours: its signals are handled.
        asked: Signals that came before this was imported, as far as it is known: the first one stops the command here.
    """
    given = sys.argv[1:] if arguments is None else arguments
    with claimed() as outputs:
        try:
            try:
                if arguments is None:
                    stopping.handle(end_at_once, notice)
                if asked:
                    raise stopping.Stopped(asked[0])
                from datastill.cli.program import run

                run(given, outputs)
            finally:
                stopping.let_go()  # within the block that answers, as a signal may come just before
        except KeyboardInterrupt as stop:
            exit_stopped(stop.number if isinstance(stop, stopping.Stopped) else signal.SIGINT, given)


__all__ = ["main"]
