"""Plain values, as JSON and YAML hold them, with a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from datastill.errors import UserError
from datastill.files.reading import CHECKSUM


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


SHORTEST = 8
"""Hexadecimal digits that a checksum has at least."""


def _digest(content: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):  # what no version of this program wrote
        return "-"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
