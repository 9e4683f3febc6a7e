from __future__ import annotations

from dataclasses import replace

import torch

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.files import load_tensors
from datastill.methods import method
from datastill.methods.k_center import KCenter
from datastill.networks import build
from datastill.setting import PRESETS
from datastill.teachers import RECIPES, pretrain
from small_methods import POOL


def test_its_values() -> None:
    for preset in PRESETS:
        assert method("k-center", data="cifar10", ipc=10, preset=preset) == KCenter("k-center", network="convnet", recipe=RECIPES["fast"])


def test_it_is_farthest_first_written_out(tiny: DataSet) -> None:
    stepper = replace(KCenter("k-center"), recipe=POOL.recipe).open(tiny, Engine(), 5, 0)
    stepper.step(0)
    network = build("convnet", channels=3, classes=3, size=(8, 8)).eval()
    network.take(load_tensors(pretrain(tiny, "convnet", 1, POOL.recipe, Engine())[0].path)[0])
    for label in range(3):
        with torch.no_grad():
            embeddings = network(tiny.normalise(tiny.train.images[12 * label : 12 * label + 12])).embedding.double()
        chosen = [int((embeddings - embeddings.mean(0)).norm(dim=1).argmin())]
        while len(chosen) < 5:
            nearest = [min(float((image - embeddings[row]).norm()) for row in chosen) for image in embeddings]
            chosen.append(nearest.index(max(nearest)))
        assert stepper.state()["positions"][label].tolist() == [row + 12 * label for row in chosen]
