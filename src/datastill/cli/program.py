"""The program: run a command, tell a mistake in one line, end as a program should."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys

import cyclopts

from datastill.cli.commands import app
from datastill.errors import UserError


def main(arguments: list[str] | None = None) -> None:
    """Run the command; a user's mistake prints one line and exits with 2."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    for noisy in ("torch", "matplotlib", "PIL"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        app(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except (UserError, cyclopts.CycloptsError) as error:
        print(f"datastill: {_one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\ndatastill: stopped; a run continues with --resume", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        _let_go()
        sys.exit(141)  # as a program that the signal ends, for example by `| head`
    except OSError as error:
        _let_go()
        where = f": {error.filename}" if error.filename else ""
        advice = "; free some space, a run continues with --resume" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        print(f"datastill: {_one_line(UserError(f'{error.strerror or error}{where}{advice}'))}", file=sys.stderr)
        sys.exit(2)


def _let_go() -> None:
    """Point an output that takes no more at nothing: the interpreter would try again, and complain, as it exits."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _one_line(error: Exception) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(error).split()))
    return text if isinstance(error, UserError) else f"{text} See datastill --help."
