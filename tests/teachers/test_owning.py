"""A teacher is trained by one process; others wait for it, and nothing is trained that could not be kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from datastill.data import DataSet
from datastill.encoders import TrainingRecipe, pretrain
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import load_tensors, locked
from datastill.teachers.history import history_path, training_history
from datastill.teachers.pool import pool_folder
from doubles import Training

RECIPE = TrainingRecipe(epochs=1, learning_rate=0.01)


def trained(data: DataSet, cache: Path) -> dict[str, torch.Tensor]:
    (member,) = pretrain(data, "convnet", 1, RECIPE, Engine(), cache=cache)
    return load_tensors(member.path)[0]


def recorded(data: DataSet, cache: Path) -> dict[str, torch.Tensor]:
    return {"history": training_history(data, "convnet", RECIPE, Engine(), cache=cache)}


def network(data: DataSet, cache: Path) -> Path:
    return pool_folder(data, "convnet", RECIPE, cache) / "0.safetensors"


def history(data: DataSet, cache: Path) -> Path:
    return history_path(data, "convnet", RECIPE, cache)


KINDS = pytest.mark.parametrize(("work", "place"), [(trained, network), (recorded, history)], ids=["network", "history"])


@KINDS
def test_what_another_process_trains_is_waited_for_and_read(
    tmp_path: Path,
    tiny: DataSet,
    caplog: pytest.LogCaptureFixture,
    training: Training,
    work: Callable[[DataSet, Path], dict[str, torch.Tensor]],
    place: Callable[[DataSet, Path], Path],
) -> None:
    first = work(tiny, tmp_path / "first")
    training.forget()
    training.kill_at = 0  # nothing is trained from here on
    path = place(tiny, tmp_path / "second")
    with ThreadPoolExecutor(1) as pool:
        with locked(path, "what another process trains"):
            waiting = pool.submit(work, tiny, tmp_path / "second")
            while not any("waiting for process" in record.getMessage() for record in caplog.records):
                assert not waiting.done()
                time.sleep(0.05)
            shutil.copyfile(place(tiny, tmp_path / "first"), path)
        second = waiting.result(timeout=60)
    assert all(torch.equal(second[name], tensor) for name, tensor in first.items())
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@KINDS
def test_a_cache_that_cannot_be_written_is_found_before_anything_is_trained(
    tmp_path: Path,
    tiny: DataSet,
    training: Training,
    work: Callable[[DataSet, Path], dict[str, torch.Tensor]],
    place: Callable[[DataSet, Path], Path],
) -> None:
    training.kill_at = 0
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match=rf"cannot write {place(tiny, tmp_path / 'cache')} .*choose another folder or fix its permissions"):
        work(tiny, tmp_path / "cache")


def test_leftovers_of_killed_processes_are_removed_from_a_pool(tmp_path: Path, tiny: DataSet) -> None:
    folder = network(tiny, tmp_path).parent
    folder.mkdir(parents=True)
    (folder / ".datastill-0123456789abcdef.partial").write_text("half a network")
    (folder / ".mine.partial").write_text("mine")
    trained(tiny, tmp_path)
    assert sorted(entry.name for entry in folder.iterdir()) == [".mine.partial", "0.safetensors"]
