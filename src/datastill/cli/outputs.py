"""The outputs of the command: nothing that becomes of a terminal, a pipe or a log on a full disk ends what is under way."""

from __future__ import annotations

import contextlib
import io
import os
import re
import select
import sys
from collections.abc import Iterator
from typing import Any, TextIO

STREAMS = (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY))
SIZES = ("COLUMNS", "LINES")
"""The environment's size of the terminal."""


class Output(io.FileIO):
    """An output of the process that takes everything, and remembers what it could not write.

    Args:
        descriptor: Its number, which stays open.

    Attributes:
        error: The first one; None where everything was written.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.error: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all of it, or drop the rest."""
        rest = whole = memoryview(data).cast("B")
        while rest:
            try:
                written = super().write(rest)
            except OSError as error:
                self.error = self.error or error
                break
            if written is None:  # a reader that is slow and an output that does not wait
                select.select([], [self], [])
            else:
                rest = rest[written:]
        return len(whole)


@contextlib.contextmanager
def claimed() -> Iterator[list[Output]]:
    """Print to outputs that never fail, in an encoding that holds every text: what it lacks is escaped.

    One that is closed is opened to nothing, so that no file which is opened later takes its number and is printed into. Outputs that
    Python code has put in place of the process's own are left alone.

    Yields:
        What standard output is written by, if it is the process's own.
    """
    for number, (name, way) in enumerate(STREAMS):
        _fill(number, name, way)
    for name in SIZES:
        if not re.fullmatch("0*[1-9][0-9]{0,3}", os.environ.get(name, "")):
            os.environ.pop(name, None)  # no size that a terminal has
    before, found = (sys.stdout, sys.stderr), []
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            output = Output(number)
            setattr(sys, name, _text(output, stream))
            found += [output] if name == "stdout" else []
    try:
        yield found
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        sys.stdout, sys.stderr = before


def _fill(number: int, name: str, way: int) -> None:
    """Open a standard stream that is closed, to nothing."""
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, way)  # takes the lowest free number, which is this one
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
    if getattr(sys, name) is None:
        stream = os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _text(output: Output, like: io.TextIOWrapper) -> TextIO:
    buffer = output if like.write_through else io.BufferedWriter(output)
    return io.TextIOWrapper(
        buffer,
        encoding=like.encoding,
        errors="backslashreplace",
        line_buffering=like.line_buffering,
        write_through=like.write_through,
    )
