"""Plain values, as JSON and YAML hold them, with a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datastill.errors import UserError
from datastill.files.messages import reason
from datastill.files.reading import CHECKSUM
from datastill.files.regular import read_regular
from datastill.logs import logger

log = logger(__name__)


def sealed(content: Mapping[str, Any], length: int = 32) -> dict[str, Any]:
    """Add a checksum to plain values.

    Args:
        content: Values by name, which JSON can hold.
        length: Hexadecimal digits of the checksum.

    Example:
        >>> sealed({"iteration": 1}, 8)
        {'iteration': 1, 'checksum': 'db74969e'}
    """
    return {**content, CHECKSUM: _digest(content)[:length]}


def unsealed(content: Mapping[str, Any], what: str) -> tuple[dict[str, Any], bool]:
    """Take the checksum off plain values, and check it.

    Args:
        content: As they were read.
        what: What they are, for the message.

    Returns:
        The values, and whether there was a checksum: earlier versions wrote none.

    Raises:
        UserError: If there is one that does not match.
    """
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    if CHECKSUM not in content:
        return rest, False
    stored = content[CHECKSUM]
    if not isinstance(stored, str) or len(stored) < SHORTEST or not _digest(rest).startswith(stored):
        raise UserError(f"{what} is damaged, or was changed by hand: its content does not match its checksum")
    return rest, True


def read_sealed(path: Path) -> tuple[dict[str, Any], bool]:
    """Read a JSON file of values by name, and check its checksum.

    Args:
        path: The file.

    Returns:
        The values, and whether there was a checksum. A file of an earlier version has none, which is told for the first of a name.

    Raises:
        UserError: If it cannot be read, is not such a file, or does not match its checksum.
    """
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: it cannot be read as JSON ({reason(error)})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged: expected values by name, got {str(content)[:60]!r}")
    values, checked = unsealed(content, str(path))
    if not checked:
        _tell(path)
    return values, checked


def _tell(path: Path) -> None:
    if path.name not in TOLD:
        TOLD.add(path.name)
        log.warning("%s was written by an earlier version, without a checksum: damage of such files may not be noticed", path)


TOLD: set[str] = set()
"""Names of files of which one was told to have no checksum: a folder of results may hold hundreds."""


SHORTEST = 8
"""Hexadecimal digits that a checksum has at least."""


def _digest(content: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):  # what no version of this program wrote
        return "-"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
