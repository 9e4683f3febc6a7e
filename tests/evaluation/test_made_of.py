"""What images are made of stays known where their labels are learned: for the random subset, pictures and folders of classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datastill import DistilledSet, evaluate, load
from datastill.data import DataSet
from datastill.distilled import export
from datastill.engine import Engine
from datastill.evaluation import Protocol
from datastill.evaluation.evaluate import random_subset
from datastill.runs.distill import distill


@pytest.fixture(scope="module")
def learned() -> DistilledSet:
    """Six images of three classes whose labels name two classes alone."""
    made = distill(load("digits[0-2]"), method="ld", ipc=2, iterations=1, settings=["target_batch=30"], engine=Engine(), seed=3)
    labels = torch.tensor([[0.6, 0.3, 0.1]] * 4 + [[0.1, 0.8, 0.1]] * 2)
    return replace(made, labels=labels)


def test_the_random_subset_has_all_classes(learned: DistilledSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def drawn(data: DataSet, labels: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(labels.tolist())
        return random_subset(data, labels, seed)

    monkeypatch.setattr("datastill.evaluation.evaluate.random_subset", drawn)
    evaluate(learned, repeats=1, protocol=Protocol(epochs=1), engine=Engine(), compare=("random",))
    assert seen == [[0, 0, 1, 1, 2, 2]]


def test_a_row_of_a_picture_and_a_folder_are_those_of_the_images(learned: DistilledSet, tmp_path: Path) -> None:
    assert learned.hard_labels.tolist() == [0, 0, 0, 0, 1, 1]
    assert learned.rows_by_class() == [[0, 1], [2, 3], [4, 5]]
    export(learned, tmp_path / "folder", "folder")
    assert sorted(len(list(path.glob("*.png"))) for path in (tmp_path / "folder").iterdir() if path.is_dir()) == [2, 2, 2]


def test_a_set_by_other_code_goes_by_its_labels(learned: DistilledSet) -> None:
    assert replace(learned, origin=replace(learned.origin, version="")).made_of.tolist() == [0, 0, 0, 0, 1, 1]


def test_a_learning_rate_that_is_set_is_used_instead_of_the_learned_one(learned: DistilledSet) -> None:
    brought = replace(learned, numbers={"learning_rate": 1e-9})
    said = [
        evaluate(brought, repeats=1, protocol=Protocol(epochs=1, learning_rate=rate), engine=Engine(), compare=()).learned_rate
        for rate in (0.01, 0.5)
    ]
    assert said == [1e-9, None]
