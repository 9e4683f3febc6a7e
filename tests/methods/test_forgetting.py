from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import save_tensors
from datastill.methods import method
from datastill.methods.forgetting import Forgetting
from datastill.teachers import RECIPES
from datastill.teachers.history import history_path, training_history
from doubles import Training
from small_methods import POOL

QUICK = replace(Forgetting("forgetting"), recipe=POOL.recipe)
SCRIPTED = replace(QUICK, recipe=replace(POOL.recipe, epochs=9))


pytestmark = pytest.mark.usefixtures("cache")


def chosen(forgetting: Forgetting, data: DataSet, ipc: int, seed: int = 0) -> Tensor:
    stepper = forgetting.open(data, Engine(), ipc, seed)
    stepper.step(0)
    return stepper.state()["positions"]


def script(data: DataSet, forgotten: dict[int, int], never: tuple[int, ...] = ()) -> None:
    """Leave a history in the cache with given counts of forgetting: some images never learned, all others always known."""
    history = torch.ones(9, len(data.train), dtype=torch.int8)
    for row, count in forgotten.items():
        history[1 : 2 * count : 2, row] = 0
    history[:, list(never)] = 0
    save_tensors(history_path(data, "convnet", SCRIPTED.recipe), {"history": history}, {"seconds": "1.5"})


def test_its_values() -> None:
    assert method("forgetting", data="cifar10") == Forgetting("forgetting", "convnet", RECIPES["paper"], "infinitely")
    assert method("forgetting", data="cifar10", preset="fast") == Forgetting("forgetting", "convnet", RECIPES["fast"], "infinitely")
    assert method("forgetting", settings=["never_learned=never"]) == Forgetting("forgetting", never_learned="never")


def test_the_most_forgotten_of_every_class_come_first(tiny: DataSet) -> None:
    script(tiny, {3: 1, 4: 4, 5: 2, 12: 1, 17: 2, 30: 3, 35: 1, 24: 2}, never=(20,))
    assert chosen(SCRIPTED, tiny, 2).tolist() == [[4, 5], [20, 17], [30, 24]]
    assert chosen(replace(SCRIPTED, never_learned="never"), tiny, 2).tolist() == [[4, 5], [17, 12], [30, 24]]
    assert SCRIPTED.pretraining_seconds(tiny) == 1.5


def test_of_equally_often_forgotten_images_the_seed_draws(tiny: DataSet) -> None:
    script(tiny, {7: 1, 20: 2})
    one, again, other = (chosen(SCRIPTED, tiny, 5, seed) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one[:2, 0].tolist() == other[:2, 0].tolist() == [7, 20]
    assert torch.equal(chosen(SCRIPTED, tiny, 3), one[:, :3])


def test_the_counts_are_of_its_networks_training_which_is_kept(tiny: DataSet, training: Training) -> None:
    first = chosen(QUICK, tiny, 4)
    kept = history_path(tiny, "convnet", POOL.recipe).read_bytes()
    training.forget()
    assert torch.equal(chosen(QUICK, tiny, 4), first)
    assert not training.sizes, "trained again"
    assert history_path(tiny, "convnet", POOL.recipe).read_bytes() == kept
    history = training_history(tiny, "convnet", POOL.recipe, Engine())
    wrong = (history != 1).all(0)  # of the one epoch: never learned, and so infinitely forgotten
    for label, rows in enumerate(first):
        assert int(wrong[rows].sum()) == min(4, int(wrong[12 * label : 12 * label + 12].sum()))


def test_another_count_is_refused() -> None:
    with pytest.raises(UserError, match=r"unknown never_learned of forgetting: '0'\. Known: infinitely, never"):
        method("forgetting", settings=["never_learned=0"])
