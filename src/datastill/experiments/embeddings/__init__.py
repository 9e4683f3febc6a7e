"""Sets in the embedding of a network that was trained on the real images: the paper's Figures 1 and 3."""

from __future__ import annotations
