from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.files import load_tensors
from datastill.methods import method
from datastill.methods.herding import Herding
from datastill.networks import build
from datastill.setting import PRESETS
from datastill.teachers import RECIPES, pretrain
from small_methods import POOL


def test_its_values() -> None:
    for preset in PRESETS:
        assert method("herding", data="cifar10", ipc=10, preset=preset) == Herding("herding", network="convnet", recipe=RECIPES["fast"])


def test_it_is_the_greedy_loop_written_out(tiny: DataSet) -> None:
    herding = replace(Herding("herding"), recipe=POOL.recipe)
    stepper = herding.open(tiny, Engine(), 5, 0)
    stepper.step(0)
    network = build("convnet", channels=3, classes=3, size=(8, 8)).eval()
    network.take(load_tensors(pretrain(tiny, "convnet", 1, POOL.recipe, Engine())[0].path)[0])
    for label in range(3):
        with torch.no_grad():
            embeddings = network(tiny.normalise(tiny.train.images[12 * label : 12 * label + 12])).embedding.double()
        chosen: list[int] = []
        for _ in range(5):
            free = [row for row in range(12) if row not in chosen]
            chosen.append(min(free, key=lambda row: float((embeddings[[*chosen, row]].mean(0) - embeddings.mean(0)).norm())))
        assert stepper.state()["positions"][label].tolist() == [row + 12 * label for row in chosen]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_changes_nothing(tiny: DataSet, seed: int) -> None:
    found = []
    for each in (0, seed):
        stepper = replace(Herding("herding"), recipe=POOL.recipe).open(tiny, Engine(), 3, each)
        stepper.step(0)
        found.append(stepper.state()["positions"])
    assert torch.equal(*found)
