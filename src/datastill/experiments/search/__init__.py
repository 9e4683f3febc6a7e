"""Architecture search: a small set ranks networks as the real images would, or does not."""

from __future__ import annotations

from datastill.experiments.search.ranking import Correlation, Ranking, architecture_search

__all__ = ["Correlation", "Ranking", "architecture_search"]
