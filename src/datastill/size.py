"""The size of images."""

from __future__ import annotations

Size = tuple[int, int]
"""Height and width in pixels."""
