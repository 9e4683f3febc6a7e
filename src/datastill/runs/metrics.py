"""The lines of ``metrics.jsonl``, each with a checksum of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from datastill.errors import UserError
from datastill.files import sealed, unsealed
from datastill.logs import logger

log = logger(__name__)

DIGITS = 8
"""Hexadecimal digits of a line's checksum: enough for damage, and short beside the figures."""
BOUNDS = {"iteration": math.inf, "seconds": math.inf, "validation_accuracy": 100.0, "loss": math.inf}
"""What must be a number where it is there, with its largest value; a loss may be negative or not finite."""
TEXTS = ("labels",)


def line(entry: Mapping[str, Any]) -> str:
    """Write an entry as a line with its checksum."""
    return json.dumps(sealed(entry, DIGITS)) + "\n"


def read_metrics(path: Path, iterations: int = 0) -> list[dict[str, Any]]:
    """Every intact line of a file, without its checksum.

    A last line that was cut off by a kill is left out. So is a damaged line, which is told once. Files of earlier versions have no
    checksums: all of their lines are taken that hold an iteration and numbers.

    Args:
        path: The file.
        iterations: How many must be there; it is told once if some are not, as where the file was truncated.
    """
    entries, damaged = _intact(path) if path.is_file() else ([], 0)
    if damaged:
        _tell(f"{path} is damaged: {damaged} line{' is' if damaged == 1 else 's are'} left out")
    lacking = iterations - len({entry["iteration"] for entry in entries if 1 <= entry["iteration"] <= iterations})
    if lacking > damaged:
        _tell(f"{path} lacks the figures of {lacking} of {iterations} iterations")
    return entries


def _intact(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The entries of a file that are intact, and how many others there are."""
    *lines, last = path.read_text(encoding="utf-8", errors="replace").split("\n")
    found = [(each, _parsed(each)) for each in (*lines, last) if each.strip()]
    checked = any(parsed and parsed[1] for _, parsed in found)
    entries = [parsed[0] for _, parsed in found if parsed and parsed[1] == checked]
    return entries, len(found) - len(entries) - bool(last.strip() and _parsed(last) is None)


def _parsed(text: str) -> tuple[dict[str, Any], bool] | None:
    """An entry, and whether it has a checksum; None for what is no intact entry."""
    try:
        content = json.loads(text)
        entry, checked = unsealed(content, "the line") if isinstance(content, dict) else ({}, False)
    except (ValueError, RecursionError, UserError):
        return None
    return (entry, checked) if _sound(entry) else None


def _sound(entry: Mapping[str, Any]) -> bool:
    if type(entry.get("iteration")) is not int or entry["iteration"] < 0:
        return False
    for name, value in entry.items():
        if name in BOUNDS:
            if type(value) not in (int, float) or (name != "loss" and not 0 <= value <= BOUNDS[name]):
                return False
        elif not (value is None or isinstance(value, str if name in TEXTS else int | float)):
            return False
    return True


@cache
def _tell(what: str) -> None:
    log.warning("%s", what)
