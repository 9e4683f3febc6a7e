"""Evaluations of a few epochs."""

from __future__ import annotations

from pathlib import Path

from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.evaluation import Evaluation, Protocol
from datastill.evaluation.evaluate import evaluate

QUICK = Protocol(epochs=2)


def quick(content: DistilledSet | Path, data: DataSet, *, compare: tuple[str, ...] = (), seed: int = 0, repeats: int = 1) -> Evaluation:
    """Evaluate a set exactly, with one network."""
    return evaluate(content, data=data, compare=compare, seed=seed, repeats=repeats, protocol=QUICK, engine=Engine())
