"""Protocols and recipes are written down by their fields wherever they are, and read back as the same objects."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datastill.configuration import restore
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.evaluation import Evaluation, Protocol, Score
from datastill.experiments.cell import TeacherCell
from datastill.experiments.teachers import run_teacher
from datastill.runs import Run
from datastill.runs.job import Job
from datastill.runs.plan import Plan
from datastill.teachers import TrainingRecipe
from run_folders import method

PROTOCOLS = (Protocol(epochs=3, learned_rate=False, batch=7), Protocol("vgg11", epochs=2, augment=False, learning_rate=0.5))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_evaluation_says_its_whole_protocol(protocol: Protocol) -> None:
    score = Score((50.0,), torch.eye(2, dtype=torch.int64))
    found = Evaluation(score, {}, protocol, "test", 0, "tiny", ("a", "b"))
    assert restore(found.describe()["protocol"], Protocol) == protocol


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_says_the_whole_protocol_of_its_validations(protocol: Protocol, tiny: DataSet, tmp_path: Path) -> None:
    job = Job.of(tiny, method(), ipc=2, iterations=3, validate_at=[1], protocol=protocol, engine=Engine())
    Run(tmp_path).begin(job.plan.describe(), resume=False)
    assert Plan.read(tmp_path).protocol == protocol


def test_a_cell_of_teachers_says_its_whole_recipe(tiny: DataSet, tmp_path: Path) -> None:
    recipe = TrainingRecipe(schedule="constant", epochs=1, batch=16, half_size=0.0)
    cell = TeacherCell("mine/one", "tiny", "convnet", recipe)
    run_teacher(cell, results=tmp_path / "results", runs=tmp_path / "runs", read=lambda name: tiny)
    config = Run(tmp_path / "runs" / "mine" / "one").config()
    assert config is not None
    assert restore(config["recipe"], TrainingRecipe) == recipe
