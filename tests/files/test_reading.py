from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.files import check_tensors, checksum, load_tensors, save_tensors

VALUES = {"a": torch.ones(2)}


def test_a_file_without_a_checksum_is_refused(tmp_path: Path) -> None:
    safetensors.torch.save_file(VALUES, tmp_path / "foreign", {"seed": "1"})
    safetensors.torch.save_file(VALUES, tmp_path / "renamed", {"seed": "1", "checksun": checksum(VALUES, {"seed": "1"})})
    safetensors.torch.save_file(VALUES, tmp_path / "bare")
    for name in ("foreign", "renamed", "bare"):
        with pytest.raises(UserError, match=f"{name} has no checksum, so it cannot be checked"):
            load_tensors(tmp_path / name)


def test_a_file_of_an_earlier_version_is_read_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    safetensors.torch.save_file(VALUES, tmp_path / "older", {"seed": "1", "checksum": checksum(VALUES)})
    safetensors.torch.save_file(VALUES, tmp_path / "wrong", {"seed": "1", "checksum": checksum({"a": torch.zeros(2)})})
    with caplog.at_level(logging.WARNING):
        assert load_tensors(tmp_path / "older")[1] == {"seed": "1"}
    assert "older was written by an earlier version: its checksum does not cover the text" in caplog.text
    with pytest.raises(UserError, match="wrong is damaged: its content does not match its checksum"):
        load_tensors(tmp_path / "wrong")


def test_what_was_read_stays_when_the_file_is_truncated(tmp_path: Path) -> None:
    values = {"images": torch.arange(300_000, dtype=torch.float32)}
    save_tensors(tmp_path / "set", values, {})
    tensors, _ = load_tensors(tmp_path / "set")
    os.truncate(tmp_path / "set", 100)  # a mapped file would end the process here, by a signal
    assert torch.equal(tensors["images"], values["images"])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, r"'rows' must be int64 \(2, 3\), got absent"),
        ({"rows": torch.zeros(1, 3, dtype=torch.int64)}, r"'rows' must be int64 \(2, 3\), got int64 \(1, 3\)"),
        ({"rows": torch.zeros(2, 3)}, r"'rows' must be int64 \(2, 3\), got float32 \(2, 3\)"),
        ({"rows": torch.zeros(2, 3, dtype=torch.int64), "more": torch.zeros(())}, r"'more' must be absent, got float32 \(\)"),
    ],
)
def test_other_names_shapes_and_types_do_not_fit(found: dict[str, Tensor], said: str) -> None:
    with pytest.raises(UserError, match=f"^the state does not fit: {said}$"):
        check_tensors(found, {"rows": torch.zeros(2, 3, dtype=torch.int64)}, "the state")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_do_not_fit(value: float) -> None:
    with pytest.raises(UserError, match="'a' has values that are NaN or infinite"):
        check_tensors({"a": torch.tensor([1.0, value])}, VALUES, "the state")
    check_tensors(VALUES, VALUES, "the state")
