"""The results of an evaluation's networks, kept in a file so that a killed evaluation can continue."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datastill import provenance
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.evaluation.protocol import Protocol
from datastill.files import checksum, locked, read_regular, reason, remove_leftovers, sealed, unsealed, write_atomic
from datastill.labels import HARD
from datastill.logs import logger

log = logger(__name__)


class Ledger:
    """Confusion matrices by what they depend on, each with a checksum of its own.

    Args:
        path: A JSON file, made with the first matrix; None keeps nothing. What is damaged in it is left out, with a message.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._matrices = _read(path) if path is not None and path.exists() else {}

    def find(self, key: str, counts: Sequence[int] = ()) -> Tensor | None:
        """The matrix ``true predicted`` of a key, if it is there.

        Args:
            key: Its name.
            counts: Images of every class that the network was tested on; a matrix of other numbers is left out, with a message.
        """
        matrix = self._matrices.get(key)
        if matrix is None or not counts or [sum(row) for row in matrix] == list(counts):
            return None if matrix is None else torch.tensor(matrix, dtype=torch.int64)
        log.warning("%s holds a network that was tested on other images; it will be trained again", self.path)
        return None

    def keep(self, key: str, matrix: Tensor) -> None:
        """Write a matrix at once."""
        self._matrices[key] = matrix.tolist()
        if self.path is not None:
            entries = [sealed({"network": name, "confusion": rows}) for name, rows in self._matrices.items()]
            write_atomic(self.path, json.dumps(entries))

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
    if path is None:
        yield Ledger(None)
        return
    with locked(path, f"the evaluation that {path} keeps"):
        remove_leftovers(path.parent)
        yield Ledger(path)


def _read(path: Path) -> dict[str, list[list[int]]]:
    """The matrices of a file that are intact, by their names."""
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s is damaged (%s); the networks in it will be trained again", path, reason(error))
        return {}
    if isinstance(content, dict) and content:
        log.warning("%s was written by an earlier version, without checksums; the networks in it will be trained again", path)
        return {}
    entries = content if isinstance(content, list) else [content]
    found = {entry["network"]: entry["confusion"] for entry in entries if _intact(entry)}
    if len(found) < len(entries):
        log.warning("%s is damaged; %d of the %d networks in it will be trained again", path, len(entries) - len(found), len(entries))
    return found


def _intact(entry: Any) -> bool:
    try:
        content, checked = unsealed(entry, "the entry") if isinstance(entry, dict) else ({}, False)
    except UserError:
        return False
    rows = content.get("confusion")
    return (
        checked
        and isinstance(content.get("network"), str)
        and isinstance(rows, list)
        and all(isinstance(row, list) and len(row) == len(rows) for row in rows)
        and all(type(count) is int and 0 <= count < 2**63 for row in rows for count in row)
    )


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
    content = (trained, path, *data.normalisation.key, data.flip, tested, asdict(protocol), engine.describe(), label_kind, program)
    return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()
