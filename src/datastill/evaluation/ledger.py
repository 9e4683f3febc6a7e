"""The results of an evaluation's networks, kept in a file so that a killed evaluation can continue."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datastill import provenance
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.evaluation.protocol import Protocol
from datastill.files import checksum, locked, write_atomic
from datastill.labels import HARD

log = logging.getLogger(__name__)


class Ledger:
    """Confusion matrices by what they depend on.

    Args:
        path: A JSON file, made with the first matrix; None keeps nothing. One that cannot be read is started again, with a message.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._matrices: dict[str, Any] = {}
        if path is not None and path.exists():
            try:
                self._matrices = {str(key): torch.tensor(matrix).tolist() for key, matrix in json.loads(path.read_text()).items()}
            except (ValueError, TypeError, AttributeError, RuntimeError):
                log.warning("%s is damaged; the networks in it will be trained again", path)

    def find(self, key: str) -> Tensor | None:
        """The matrix ``true predicted`` of a key, if it is there."""
        return torch.tensor(self._matrices[key], dtype=torch.int64) if key in self._matrices else None

    def keep(self, key: str, matrix: Tensor) -> None:
        """Write a matrix at once."""
        self._matrices[key] = matrix.tolist()
        if self.path is not None:
            write_atomic(self.path, json.dumps(self._matrices))

    def remove(self) -> None:
        """Remove the file once everything is written elsewhere."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(path: Path | None) -> Iterator[Ledger]:
    """A ledger that no other process opens meanwhile.

    Args:
        path: As of a `Ledger`; it is tried at once whether it can be written.

    Raises:
        UserError: If another process has opened it, or it cannot be written.
    """
    with contextlib.nullcontext() if path is None else locked(path, f"the evaluation that {path} keeps"):
        yield Ledger(path)


def key(
    images: Tensor,
    labels: Tensor,
    path: tuple[int | str, ...],
    *,
    data: DataSet,
    tested: str,
    protocol: Protocol,
    engine: Engine,
    label_kind: str = HARD,
) -> str:
    """Name what a network's confusion matrix depends on: set, protocol, seed, what it is tested on, how it runs, and the program.

    Args:
        images: What it is trained on.
        labels: Of those images.
        path: What its randomness derives from.
        data: How images are normalised and mirrored.
        tested: Fingerprint of what it is tested on.
        protocol: How it is trained, with the learning rate that it really has.
        engine: How it runs.
        label_kind: What the labels are.
    """
    trained = checksum({"images": images, "labels": labels})
    program = (provenance.package_version(), provenance.commit())
    content = (trained, path, data.mean, data.std, data.flip, tested, asdict(protocol), engine.describe(), label_kind, program)
    return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()
