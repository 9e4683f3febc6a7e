from __future__ import annotations

import pytest

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.evaluation import Protocol
from datastill.evaluation.evaluate import evaluate
from tiny_sets import distilled_set


@pytest.mark.parametrize(("learning_rate", "told"), [(1e30, 1), (1e8, 1), (0.01, 0)])
def test_a_training_that_diverges_is_told(data: DataSet, caplog: pytest.LogCaptureFixture, learning_rate: float, told: int) -> None:
    protocol = Protocol(epochs=4, learning_rate=learning_rate)
    evaluate(distilled_set(), data=data, compare=(), repeats=1, protocol=protocol, engine=Engine())
    assert caplog.text.count("the training of a network diverged at a learning rate of 1e+") == told
