"""A checkpoint is continued from only if it is this run's, of the iteration that it is named by, and exactly a state of its method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors
from run_folders import assert_same_run, checkpoints, run

Change = Callable[[dict[str, Tensor], dict[str, str]], None]


def changed(folder: Path, change: Change) -> None:
    """Change the newest checkpoint, with the right checksum of what is then in it."""
    newest = checkpoints(folder)[-1]
    tensors, text = load_tensors(newest)
    change(tensors, text)
    save_tensors(newest, tensors, text)


@pytest.mark.parametrize("iteration", ["-9", "4", "x", "9" * 5000, None])
def test_one_of_another_iteration_is_passed_over(
    tiny: DataSet, straight: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, iteration: str | None
) -> None:
    def change(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
        text.pop("iteration")
        text.update({} if iteration is None else {"iteration": iteration})

    run(tiny, tmp_path / "run", 5, seed=3)
    changed(tmp_path / "run", change)
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert "00000005.safetensors is of iteration" in caplog.text
    assert "the previous checkpoint is used" in caplog.text
    assert_same_run(tmp_path / "run", straight)


def foreign(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    text["configuration"] = "0" * 16


def of_no_run(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    del text["configuration"]


def one_row(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    tensors["pixels"] = tensors["pixels"][:, :1]


def integers(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    tensors["pixels"] = tensors["pixels"].long()


def renamed(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    tensors["pixel"] = tensors.pop("pixels")


def not_finite(tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    tensors["momentum"][0] = torch.inf


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (foreign, "00000005.safetensors does not belong to the configuration of .*: remove it"),
        (of_no_run, "00000005.safetensors does not belong to the configuration of .*: remove it"),
        (one_row, r"the checkpoint of iteration 5 in .* cannot be continued from: .*'pixels' must be float32 \(3, 2.* remove it"),
        (integers, r"cannot be continued from: .*'pixels' must be float32 .* got int64"),
        (renamed, "cannot be continued from: .*'pixels' must be float32 .* got absent"),
        (not_finite, "cannot be continued from: .*'momentum' has values that are NaN or infinite"),
    ],
)
def test_one_that_does_not_fit_is_refused_and_the_one_before_it_continues(
    tiny: DataSet, straight: Path, tmp_path: Path, change: Change, said: str
) -> None:
    run(tiny, tmp_path / "run", 5, seed=3)
    changed(tmp_path / "run", change)
    with pytest.raises(UserError, match=said):
        run(tiny, tmp_path / "run", seed=3, resume=True)
    checkpoints(tmp_path / "run")[-1].unlink()  # the way out that the message names
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)
