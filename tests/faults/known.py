"""What trials damage: small things that are made once in every process, and how it is noticed what the program says of them."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

import datastill
from datastill import DistilledSet
from datastill.data import DataSet
from datastill.files import load_tensors, save_tensors
from faults.mutations import odd
from tiny_sets import data_set


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """The warnings of the program in a block."""
    said: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    handler, logger = Listening(logging.WARNING), logging.getLogger("datastill")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


@contextlib.contextmanager
def cache_at(folder: Path) -> Iterator[None]:
    """The program's cache is a folder."""
    with patch.dict(os.environ, {"DATASTILL_CACHE": str(folder)}):
        yield


@cache
def place() -> Path:
    """A folder of this process, for what is made once."""
    return Path(tempfile.mkdtemp(prefix="datastill-known-"))


@cache
def data() -> DataSet:
    """Three classes of noise."""
    return data_set((12, 11, 10), size=(8, 8))


def distil(out: Path | None, iterations: int, *, resume: bool = False) -> DistilledSet:
    """Two images of every class, with a checkpoint after every step."""
    method = datastill.method("dm+cm", data=data(), ipc=2, settings=["real_batch=6"])
    return datastill.distill(data(), method=method, ipc=2, iterations=iterations, out=out, resume=resume, checkpoint_seconds=0)


STEPS, MORE = 3, 5
"""Steps of a run that was stopped, and of the whole one."""


@cache
def stopped() -> Path:
    """The folder of a run that was stopped."""
    distil(place() / "run", STEPS)
    return place() / "run"


@cache
def straight() -> Tensor:
    """The images of the whole run."""
    return distil(None, MORE).images


def copied(folder: Path, target: Path) -> Path:
    """A copy of a folder."""
    shutil.copytree(folder, target)
    return target


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    """Whether names, types and all bits agree."""
    if {name: (each.dtype, each.shape) for name, each in found.items()} != {
        name: (each.dtype, each.shape) for name, each in expected.items()
    }:
        return False
    return all(torch.equal(found[name].flatten().view(torch.uint8), each.flatten().view(torch.uint8)) for name, each in expected.items())


def sealed_again(path: Path, chance: random.Random) -> None:
    """Change the content of a file of tensors, with the right checksum of what is then in it."""
    tensors, text = load_tensors(path)
    if chance.random() < 0.3:
        changed = odd(dict(text), chance)
        entries = changed.items() if isinstance(changed, dict) else ()
        text = {str(key): str(value).encode(errors="replace").decode() for key, value in entries}
    else:
        tensors = otherwise(tensors, chance)
    save_tensors(path, tensors, {key: value for key, value in text.items() if key != "checksum"})


def otherwise(tensors: dict[str, Tensor], chance: random.Random) -> dict[str, Tensor]:
    """Tensors of which one is missing, has another name, shape, type or values, or comes in addition."""
    name = chance.choice(sorted(tensors))
    value, others = tensors[name], {key: each for key, each in tensors.items() if key != name}
    ways: dict[str, Any] = {
        "missing": lambda: others,
        "renamed": lambda: {**others, f"{name}x": value},
        "more": lambda: {**tensors, "more": torch.zeros(2)},
        "cut": lambda: {**others, name: value[:1]} if value.ndim else {**others, name: value[None]},
        "another type": lambda: {**others, name: value.to(chance.choice((torch.int64, torch.float16, torch.bool, torch.float64)))},
        "not finite": lambda: {**others, name: torch.full_like(value, float("nan"))} if value.is_floating_point() else others,
        "huge": lambda: {**others, name: torch.full_like(value, 10**6)} if value.dtype in (torch.int64, torch.float32) else others,
        "flat": lambda: {**others, name: value.flatten()[:-1]},
        "none": dict,
    }
    found: dict[str, Tensor] = ways[chance.choice(sorted(ways))]()
    return found
