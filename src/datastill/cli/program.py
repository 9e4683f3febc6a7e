"""The program: run a command, report a mistake in one line, exit as a program should."""

from __future__ import annotations

import dataclasses
import errno
import logging
import re
import shlex
import shutil
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

import cyclopts
from rich.console import Console

from datastill import stopping
from datastill.cli import launched
from datastill.cli.commands import app
from datastill.cli.exhausted import check_limit, exhausted
from datastill.cli.exhausted import line as exhausted_line
from datastill.cli.outputs import Output
from datastill.cli.stopped import goes_on
from datastill.errors import LostRankError, UserError
from datastill.reading import Reading
from datastill.text import escaped

FLAGS = {
    **{
        name: f"--{name}"
        for name in (
            "compile",
            "count",
            "address",
            "cpus",
            "data",
            "device",
            "executor",
            "gpus",
            "ipc",
            "iterations",
            "out",
            "preset",
            "repeats",
            "results",
            "resume",
            "scale",
            "seed",
            "slurm",
            "workers",
        )
    },
    "format": "--format",
    "checkpoint_seconds": "--checkpoint-seconds",
    "columns": "--columns",
    "validate_at": "--validate-at",
    **{field.name: f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(Reading)},
    "validation": "--validation",
    "learning_rate": "--lr",
    "initialisation": "--init",
}
"""The flags of the arguments that messages of the library name."""
FEWEST_COLUMNS = 40
"""The help is not laid out for fewer columns: its words would be broken letter by letter, for minutes."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a full disk."""


class _Messages(logging.Handler):
    """Prints to the current standard error: while a progress bar is shown, lines go above it."""

    def emit(self, record: logging.LogRecord) -> None:
        print(flags(self.format(record)), file=sys.stderr)


def run(arguments: list[str], outputs: Sequence[Output] = ()) -> None:
    """Run the command; a user's mistake prints one line and exits with 2.

    What could not be printed counts when everything is done: a reader that has gone, as of ``| head``, gives the exit code of a program
    that was ended by it, and a full disk one line.

    Args:
        arguments: The words of the command line.
        outputs: What is printed to, if it may fail.
    """
    _show_messages()
    app.console = Console(width=max(FEWEST_COLUMNS, shutil.get_terminal_size().columns))
    try:
        check_limit(arguments)
        with launched.joined(arguments):
            app(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except LostRankError as error:
        line = _one_line(error)
        if launched.once(line, unless_said=True):
            print(f"datastill: {line}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        stopping.check_error(error)
        if isinstance(error, UserError | cyclopts.CycloptsError):
            _fail(_one_line(error))
        if exhausted(error):
            _fail(f"{exhausted_line(arguments)}{goes_on(arguments)}")
        failed = error if isinstance(error, OSError) else _full_disk(error)
        if failed is None:
            raise
        where = f": {failed.filename}" if failed.filename else ""
        advice = f"; free some space{goes_on(arguments)}" if failed.errno in NO_ROOM else ""
        _fail(_one_line(UserError(f"{failed.strerror or failed}{where}{advice}")))
    unprinted = next((output.error for output in outputs if output.error), None)
    if isinstance(unprinted, BrokenPipeError):
        sys.exit(141)
    if unprinted:
        _fail(f"{unprinted.strerror}: not everything could be printed; everything else is done")


def _fail(line: str) -> NoReturn:
    if launched.once(line):
        print(f"datastill: {line}", file=sys.stderr)
    launched.fail_together()
    sys.exit(2)


def _full_disk(error: BaseException | None) -> OSError | None:
    """The full disk that an error of another package comes from, such as one of torch's compiler; None if it is something else."""
    while error is not None and not (isinstance(error, OSError) and error.errno in NO_ROOM):
        error = error.__cause__ or error.__context__
    return error


def _show_messages() -> None:
    """Show the library's messages, and those of other packages that are warnings; Python's own warnings are for programmers."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[_Messages()])
    logging.getLogger("datastill").setLevel(logging.INFO)
    for noisy in ("torch", "matplotlib", "PIL", "datasets", "huggingface_hub", "httpx", "fsspec"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _one_line(error: Exception) -> str:
    text = escaped(" ".join(str(error).split()))
    return flags(text) if isinstance(error, UserError) else f"{text} See datastill --help."


def flags(text: str) -> str:
    """Turn the arguments, settings and functions that a library message names into command-line flags and commands.

    Example:
        >>> flags("continue it with `resume=True`, or choose another `out`; got `repeats=0`")
        'continue it with --resume, or choose another --out; got --repeats 0'
        >>> flags("use `ipc=2` or more, or `matching.every=1`")
        'use --ipc 2 or more, or --set matching.every=1'
        >>> flags("continue it with `datastill.resume`")
        'continue it with `datastill resume`'
    """
    text = re.sub(r"`datastill\.(\w+)`", r"`datastill \1`", text)

    def flag(match: re.Match[str]) -> str:
        name, value = match["name"], match["value"]
        if name not in FLAGS:  # what is no argument, and is given a value, is a setting
            return match[0] if value is None else f"--set {name}={shlex.quote(value)}"
        return FLAGS[name] if value in (None, "True") else f"{FLAGS[name]} {shlex.quote(value)}"

    return re.sub(r"`(?P<name>[\w.]+)(=(?P<value>[^`]*))?`", flag, text)
