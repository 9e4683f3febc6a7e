"""How fast it runs: device, precision, compilation, layout, micro-batches. What is computed is decided elsewhere."""

from __future__ import annotations

from datastill.engine.engine import Engine
from datastill.engine.inference import Runner
from datastill.engine.micro_batches import even_micro_batch, pieces
from datastill.engine.policy import Policy
from datastill.engine.ranks import Ranks
from datastill.engine.training import Trainer

__all__ = ["Engine", "Policy", "Ranks", "Runner", "Trainer", "even_micro_batch", "pieces"]
