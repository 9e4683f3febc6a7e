"""What a distilled set is worth: networks trained on it from scratch, and tested. The function is `datastill.evaluate`."""

from __future__ import annotations

from datastill.evaluation.ledger import Ledger
from datastill.evaluation.protocol import PROTOCOLS, Protocol
from datastill.evaluation.score import COMPARISONS, Evaluation, Score
from datastill.evaluation.scorer import Scorer

__all__ = ["COMPARISONS", "PROTOCOLS", "Evaluation", "Ledger", "Protocol", "Score", "Scorer"]
