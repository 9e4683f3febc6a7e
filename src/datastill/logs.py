"""What the library logs: a printable line a record, wherever it goes, since names of files and classes come from anywhere."""

from __future__ import annotations

import logging

from datastill.text import escaped


def logger(name: str) -> logging.Logger:
    """The logger of a module, whose messages are escaped before any handler sees them.

    Args:
        name: The module's ``__name__``.
    """
    found = logging.getLogger(name)
    if _escape not in found.filters:
        found.addFilter(_escape)
    return found


def _escape(record: logging.LogRecord) -> bool:
    record.msg, record.args = escaped(record.getMessage()), ()
    return True
