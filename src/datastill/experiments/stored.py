"""Records on the disk: written, read back and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from datastill.errors import UserError
from datastill.experiments.application import ApplicationRecord
from datastill.experiments.cell import AnyCell, Cell, TeacherCell
from datastill.experiments.record import RECORD, AnyRecordOf, ContinualRecord, Record
from datastill.files import read_sealed, sealed, write_atomic

ROUNDING = 1e-6
"""How far a mean accuracy may be from that of a confusion matrix, in percent."""


AnyRecord = TypeVar("AnyRecord", bound=AnyRecordOf | ApplicationRecord)


def write_record(record: AnyRecordOf | ApplicationRecord, folder: Path) -> None:
    """Write a record into the folder of its cell."""
    content = TypeAdapter(type(record)).dump_python(record, mode="json")
    write_atomic(folder / RECORD, json.dumps(sealed(content), separators=(",", ":"), ensure_ascii=False) + "\n")


def read_record(kind: type[AnyRecord], folder: Path, cell: AnyCell) -> AnyRecord | None:
    """Read the record of a cell back, or None where there is none.

    Args:
        kind: The class of the record.
        folder: Of the cell.
        cell: What the record must be of; it may have another number of networks, and a policy that was settled.

    Raises:
        UserError: If the file is damaged, or records a cell with another specification.
    """
    path = folder / RECORD
    if not path.exists():
        return None
    record = record_of(kind, *read_sealed(path), path)
    changed = _changes(record.cell, cell)
    if changed:
        raise UserError(f"{path} has another specification ({'; '.join(changed)}): choose another folder of results, or remove it")
    return record


def record_of(kind: type[AnyRecord], content: Mapping[str, Any], checked: bool, path: Path) -> AnyRecord:
    """A record from the values in its file.

    Args:
        kind: The class of the record.
        content: The values.
        checked: Whether they had a checksum; if not, it is looked whether accuracies and confusion matrices agree.
        path: The file, for messages.

    Raises:
        UserError: If a value is missing or cannot be right.
    """
    try:
        record: AnyRecord = TypeAdapter(kind).validate_python(content)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "nested too deeply"}
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{path} is damaged: {where + ': ' if where else ''}{first['msg']}") from error
    if isinstance(record, Record | ContinualRecord) and not checked:
        for found in record.found:
            check_agreement(found.accuracies, found.confusion, path)
    return record


def check_agreement(accuracies: Sequence[float], confusion: Sequence[Sequence[int]], path: Path) -> None:
    """Refuse accuracies that are not those of the confusion matrix beside them.

    Args:
        accuracies: Of every network, in percent.
        confusion: ``true predicted``, summed over the networks.
        path: The file, for the message.

    Raises:
        UserError: If they are not.
    """
    images, hits = sum(map(sum, confusion)), sum(row[label] for label, row in enumerate(confusion))
    if not images or abs(fmean(accuracies) - 100 * hits / images) > ROUNDING:
        raise UserError(f"{path} is damaged: its accuracies are not those of its confusion matrix")


def _changes(before: AnyCell, now: AnyCell) -> list[str]:
    now = replace(now, policy=before.policy)
    if not isinstance(now, TeacherCell) and not isinstance(before, TeacherCell):
        now = replace(now, repeats=before.repeats)
    if isinstance(now, Cell) and isinstance(before, Cell) and now.method == "random":
        now = replace(now, settings=before.settings)  # it has none, but earlier records of it name those of their table
    pairs = [(entry.name, getattr(before, entry.name), getattr(now, entry.name)) for entry in fields(now)]
    return [f"{name} was {old}, is {new}" for name, old, new in pairs if old != new]
