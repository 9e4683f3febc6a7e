"""The same content is the same file."""

from __future__ import annotations

from pathlib import Path

import safetensors
import torch
from safetensors.torch import load

from datastill.files import load_tensors, save_tensors

TENSORS = {
    "images": torch.arange(6.0).reshape(1, 2, 3),
    "labels": torch.tensor([1]),
    "half": torch.ones(3).bfloat16(),
    "none": torch.empty(0),
}
TEXT = {f"key {number}": 'ä "quoted"\n' * number for number in range(9)}


def test_the_same_tensors_and_text_are_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    for number in range(8):
        turned = dict(reversed(TENSORS.items())) if number % 2 else TENSORS
        save_tensors(tmp_path / str(number), turned, dict(reversed(TEXT.items())) if number % 3 else TEXT)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_it_is_still_a_file_that_the_library_reads(tmp_path: Path) -> None:
    save_tensors(tmp_path / "f", TENSORS, TEXT)
    read = load((tmp_path / "f").read_bytes())
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())
    with safetensors.safe_open(tmp_path / "f", framework="pt") as file:
        assert {key: file.metadata()[key] for key in TEXT} == TEXT
    tensors, text = load_tensors(tmp_path / "f")
    assert set(tensors) == set(TENSORS)
    assert {key: text[key] for key in TEXT} == TEXT
