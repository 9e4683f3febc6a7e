"""What a set looks like to a network: embeddings in two dimensions, scatter, covariances."""

from __future__ import annotations

from datastill.analysis.embedding import Analysis, Scatter, analyse

__all__ = ["Analysis", "Scatter", "analyse"]
