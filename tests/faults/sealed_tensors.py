"""Files of tensors that are damaged as bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from datastill.files import load_tensors, save_tensors
from faults.campaign import Campaign, Outcome
from faults.known import place, same
from faults.mutations import damaged

TENSORS = {
    "images": torch.arange(240, dtype=torch.float32).reshape(2, 3, 40) / 7,
    "half": torch.linspace(-1, 1, 5).bfloat16(),
    "labels": torch.tensor([3, 1, 2]),
    "scalar": torch.tensor(2.5, dtype=torch.float64),
    "empty": torch.empty(0, 4),
    "mask": torch.tensor([True, False]),
}
TEXT = {"seed": "17", "method": "dm+iid", "iteration": "20"}


@cache
def whole() -> bytes:
    """A good file."""
    path = place() / "whole.safetensors"
    save_tensors(path, TENSORS, TEXT)
    return path.read_bytes()


def _bytes(*kinds: str) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        path = folder / "state.safetensors"
        path.write_bytes(damaged(whole(), random.Random(seed), kinds))
        tensors, text = load_tensors(path)
        return Outcome.UNCHANGED if same(tensors, TENSORS) and text == TEXT else Outcome.WRONG

    return trial


CAMPAIGNS = (
    Campaign("tensors-bits", "a bit of a file of tensors is flipped", _bytes("flipped"), short=100),
    Campaign("tensors-truncated", "a file of tensors is truncated", _bytes("truncated")),
    Campaign("tensors-blocks", "blocks of a file of tensors are zero, missing or twice", _bytes("zeroed", "moved", "replaced", "noise")),
)
