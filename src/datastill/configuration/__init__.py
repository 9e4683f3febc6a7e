"""Objects as plain values and back: everything that is configured is a dataclass, which describes itself from its fields."""

from __future__ import annotations

from datastill.configuration.describing import describe, flat, qualified
from datastill.configuration.restoring import restore
from datastill.configuration.settings import changed
from datastill.configuration.types import added_later, from_plain

__all__ = ["added_later", "changed", "describe", "flat", "from_plain", "qualified", "restore"]
