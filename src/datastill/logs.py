"""What the library logs: a printable line a record, wherever it goes, since names of files and classes come from anywhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from datastill.text import escaped

_kept: ContextVar[list[str] | None] = ContextVar("kept", default=None)


def logger(name: str) -> logging.Logger:
    """The logger of a module, whose messages are escaped before any handler sees them.

    Args:
        name: The module's ``__name__``.
    """
    found = logging.getLogger(name)
    if _escape not in found.filters:
        found.addFilter(_escape)
    return found


def note(tell: Callable[..., None], text: str, *values: object) -> None:
    """Log what was chosen, and keep it for the object that it was chosen for (see `noted`).

    Args:
        tell: The method of a logger, such as ``log.info``: a program sees no information unless it asks for it.
        text: With placeholders, as loggers take it.
        values: What they stand for.
    """
    tell(text, *values)
    if (kept := _kept.get()) is not None and (said := escaped(text % values)) not in kept:
        kept.append(said)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Everything that is said by `note` meanwhile, each line once."""
    kept = list[str]()
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)


def _escape(record: logging.LogRecord) -> bool:
    record.msg, record.args = escaped(record.getMessage()), ()
    return True
