"""Objects as plain values and back: everything that is configured is a dataclass, which describes itself from its fields."""

from __future__ import annotations

from datastill.configuration.checking import check_fields, number, seed, whole, words
from datastill.configuration.describing import describe, flat, qualified
from datastill.configuration.restoring import restore
from datastill.configuration.settings import changed, paths, value_at, with_value
from datastill.configuration.types import added_later, from_plain, left_out, not_set

__all__ = [
    "added_later",
    "changed",
    "check_fields",
    "describe",
    "flat",
    "from_plain",
    "left_out",
    "not_set",
    "number",
    "paths",
    "qualified",
    "restore",
    "seed",
    "value_at",
    "whole",
    "with_value",
    "words",
]
